// What share of the answers each cluster gets. Pure.

/** Shares of one server's answer for one name, scaled so that they sum to one. */
export function scaled(answers) {
  const sum = answers.reduce((total, a) => total + a.share, 0);
  return answers.map((a) => ({ ...a, share: sum > 0 ? a.share / sum : 0 }));
}

/** Mean share by cluster over all names and servers, or over the one name `focus`. */
export function clusterShares(names, focus = null) {
  const views = names.filter((n) => !focus || n.name === focus).flatMap((n) => n.servers.filter((s) => s.answers.length));
  const shares = new Map();
  for (const view of views) {
    for (const a of scaled(view.answers)) shares.set(a.cluster, (shares.get(a.cluster) ?? 0) + a.share / views.length);
  }
  return shares;
}
