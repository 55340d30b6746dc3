//! What is wrong with an observer's configuration, as far as its machine tells without the network.

use std::{collections::BTreeSet, net::SocketAddr, os::unix::fs::PermissionsExt, path::Path};

use lifeboat_health::{Check, Identity, Observer, Selection};

use super::{ObserverFile, anchors, process};

/// What an observer without anchors lacks.
pub(crate) const NO_ANCHORS: &str = "are none, so a break of the observer's own links looks like the death of all clusters; give it two places that it reaches whenever its links are up";

/// All problems of the file, each with its field, and how many targets can be probed.
pub fn problems(file: &ObserverFile) -> (Vec<String>, usize) {
    let mut problems = Vec::new();
    match file.tls.identity() {
        Ok(identity) => problems.extend(of_identity(file, &identity)),
        Err(error) => problems.push(format!("{error:#}")),
    }
    if let Err(error) = Observer::check_names(&file.name, &file.region) {
        problems.push(error.to_string());
    }
    let (anchors, wrong) = anchors::of_raw("anchors", &file.anchors);
    problems.extend(wrong);
    for (index, anchor) in &anchors {
        let of = |problem: String| format!("anchors[{index}]: {problem}");
        problems.extend(unheard(file, anchor).map(of));
        problems.extend(files(anchor).into_iter().map(of));
    }
    let Selection {
        targets,
        errors,
        overrides,
    } = file.targets(&[]);
    problems.extend(errors.iter().chain(&overrides).map(ToString::to_string));
    for target in &targets {
        let of = |problem| format!("{}/{}/{}: {problem}", target.cluster, target.path, target.family);
        problems.extend(unheard(file, &target.check).map(of));
        problems.extend(files(&target.check).into_iter().map(of));
    }
    problems.extend(
        file.consumers
            .iter()
            .filter_map(|consumer| without_port("consumers", consumer)),
    );
    if let Some(path) = &file.kubeconfig
        && let Err(error) = kube::config::Kubeconfig::read_from(path)
    {
        problems.push(format!("kubeconfig: {}: {error}", path.display()));
    }
    if let Some(address) = file.admin
        && let Err(error) = process::guard(address, file)
    {
        problems.push(format!("{error:#}"));
    }
    // Targets of one check share its problem.
    let mut seen = BTreeSet::new();
    problems.retain(|problem| seen.insert(problem.clone()));
    (problems, targets.len())
}

fn of_identity(file: &ObserverFile, identity: &Identity) -> Option<String> {
    let wrong = Observer::check_identity(&file.name, identity, &file.profile).err()?;
    let tls = &file.tls;
    Some(format!(
        "tls.certificate {}, tls.key {}: {wrong}",
        tls.certificate.display(),
        tls.key.display()
    ))
}

/// What is no problem yet.
pub fn warnings(file: &ObserverFile) -> Vec<String> {
    let anchors = file.anchors.is_empty().then(|| format!("anchors: {NO_ANCHORS}"));
    let targets = (file.targets.is_empty() && file.kubeconfig.is_none())
        .then(|| "targets: are none, and no kubeconfig names clusters: nothing is probed".to_owned());
    file.tls
        .renewal_warning()
        .into_iter()
        .chain(anchors)
        .chain(targets)
        .collect()
}

/// A check that waits for heartbeats, where none are heard.
fn unheard(file: &ObserverFile, check: &Check) -> Option<String> {
    let waits = matches!(check, Check::Heartbeat { .. }) && file.heartbeats.is_none();
    waits.then(|| "kind heartbeat: needs heartbeats, an address on which they are heard".to_owned())
}

/// What is wrong with the files that a check needs.
fn files(check: &Check) -> Vec<String> {
    let wrong = |(field, path): (&str, &str)| {
        let told = |problem: String| Some(format!("{field}: {path}: {problem}"));
        if field != "command" {
            return std::fs::read(path)
                .err()
                .and_then(|error| told(error.to_string()));
        }
        match std::fs::metadata(Path::new(path)) {
            Err(error) => told(error.to_string()),
            Ok(file) if !file.is_file() => told("not a file".to_owned()),
            Ok(file) if file.permissions().mode() & 0o111 == 0 => told("not executable".to_owned()),
            Ok(_) => None,
        }
    };
    check.local_files().into_iter().filter_map(wrong).collect()
}

/// What is wrong with a `HOST:PORT` of a field.
pub(super) fn without_port(field: &str, given: &str) -> Option<String> {
    let told = || {
        Some(format!(
            "{field}: {given:?}: allowed is HOST:PORT, with a port from 1 to 65535"
        ))
    };
    if let Ok(address) = given.parse::<SocketAddr>() {
        return if address.port() == 0 { told() } else { None };
    }
    let parts = given.rsplit_once(':');
    let fits = parts.is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains([':', '/', ' ']) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if fits { None } else { told() }
}

#[cfg(test)]
mod tests {
    use lifeboat_health::{Authority, Role};
    use time::{Duration, OffsetDateTime};

    use super::*;

    #[test]
    fn every_mistake_is_named_with_its_field() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let now = OffsetDateTime::now_utc();
        let authority = Authority::create(now).unwrap();
        write("r.pem", authority.certificate_pem());
        for (name, role) in [
            ("o", Role::Observer),
            ("p", Role::Observer),
            ("c", Role::Consumer),
        ] {
            let issued = authority.issue(name, role, now, 365).unwrap();
            write(&format!("{name}.pem"), &issued.certificate_pem);
            write(&format!("{name}.key"), &issued.key_pem);
        }
        write("empty", "");
        let empty = folder.path().join("empty");
        let of = |text: &str| {
            write("observer.yaml", text);
            problems(&ObserverFile::read(&folder.path().join("observer.yaml")).unwrap())
        };
        let start = "name: o\nconsumers: ['192.0.2.1:7443', 'dns-1.example:7443', '[2001:db8::1]:1']\n";
        let good = format!("{start}tls: {{certificate: o.pem, key: o.key, roots: r.pem}}\n");
        assert_eq!(of(&good), (Vec::new(), 0));
        let check = |text: &str, parts: &[&str]| {
            let (found, _) = of(text);
            let [told] = &found[..] else {
                panic!("{text}: {found:?}");
            };
            assert!(parts.iter().all(|part| told.contains(part)), "{text}: {told}");
        };
        check(&good.replace("o.key", "p.key"), &["tls.key", "p.key"]);
        check(
            &good.replace("o.pem, key: o.key", "p.pem, key: p.key"),
            &["tls.certificate", "\"o\""],
        );
        check(
            &good
                .replace("name: o", "name: c")
                .replace("o.pem, key: o.key", "c.pem, key: c.key"),
            &["tls.certificate", "c.pem", "not an observer's", "clientAuth"],
        );
        let warned = |text: &str| {
            let problems = of(text).0;
            let file = ObserverFile::read(&folder.path().join("observer.yaml")).unwrap();
            (problems, warnings(&file))
        };
        let (_, lacking) = warned(&good);
        let lacks = |field: &str| lacking.iter().any(|warning| warning.starts_with(field));
        assert!(
            lacking.len() == 2 && lacks("anchors: ") && lacks("targets: "),
            "{lacking:?}"
        );
        let whole = format!(
            "{good}anchors: [{{kind: tcp, address: '192.0.2.1:1'}}]\n\
             targets: [{{cluster: a, path: control, family: ipv4, check: {{kind: tcp, address: '192.0.2.1:2'}}}}]\n"
        );
        assert_eq!(warned(&whole), (Vec::new(), Vec::new()));
        let of_pair = |name: &str, days: i64| {
            let issued = authority.issue("o", Role::Observer, now + Duration::days(days), 20);
            let issued = issued.unwrap();
            write(&format!("{name}.pem"), &issued.certificate_pem);
            write(&format!("{name}.key"), &issued.key_pem);
            whole.replace("o.pem, key: o.key", &format!("{name}.pem, key: {name}.key"))
        };
        let (problems, warned) = warned(&of_pair("short", 0));
        assert_eq!((problems.len(), warned.len()), (0, 1), "{warned:?}");
        assert!(
            warned[0].contains("short.pem") && warned[0].contains("expires in 19 days"),
            "{warned:?}"
        );
        check(
            &of_pair("past", -30),
            &["tls.certificate", "past.pem", "has expired, at 2"],
        );
        check(&of_pair("future", 9), &["future.pem", "not valid before 2"]);
        check(&good.replace("r.pem", "x.pem"), &["tls.roots", "x.pem"]);
        check(&format!("{good}region: 'a b'\n"), &["region \"a b\"", "63"]);
        check(
            &format!("{good}anchors: [{{kind: tcp, address: '192.0.2.1:0'}}]\n"),
            &["anchors[0]", "port 0"],
        );
        // One at fault hides nothing of what is wrong elsewhere, and costs no target.
        let pigeon = whole.replace("anchors: [", "anchors: [{kind: pigeon}, ");
        let (told, targets) = of(&pigeon.replace("r.pem", "x.pem"));
        assert_eq!(targets, 1);
        let [roots, anchor] = &told[..] else {
            panic!("{told:?}");
        };
        assert!(roots.contains("x.pem"), "{told:?}");
        assert!(
            anchor.starts_with("anchors[0].kind: ") && anchor.contains("pigeon"),
            "{told:?}"
        );
        let program = format!("{{kind: program, command: [{}]}}", empty.display());
        check(
            &format!("{good}anchors: [{program}]\n"),
            &["anchors[0]: command", "not executable"],
        );
        check(
            &good.replace("dns-1.example:7443", "dns-1.example"),
            &["consumers", "HOST:PORT"],
        );
        check(
            &good.replace("192.0.2.1:7443", "192.0.2.1:0"),
            &["consumers", "192.0.2.1:0"],
        );
        check(&format!("{good}kubeconfig: none\n"), &["kubeconfig", "none"]);
        for (file, told) in [("none", "reading"), ("empty", "no token")] {
            let text = format!("{good}admin: '127.0.0.1:9154'\nadminTokenFile: {file}\n");
            check(&text, &["adminTokenFile", told]);
        }
        let target = |check: &str| {
            format!("{good}targets: [{{cluster: a, path: control, family: ipv4, check: {{{check}}}}}]\n")
        };
        check(
            &target("kind: readyz, url: 'https://192.0.2.1', tls: {roots: {file: /nowhere/ca.pem}}"),
            &["a/control/ipv4: tls.roots.file: /nowhere/ca.pem"],
        );
        check(
            &format!(
                "{}heartbeats: '127.0.0.1:7444'\n",
                target("kind: heartbeat, agent: a, keyFile: /nowhere/key")
            ),
            &["a/control/ipv4: keyFile: /nowhere/key"],
        );
        check(
            &target(&format!(
                "kind: heartbeat, agent: a, keyFile: {}",
                folder.path().join("o.key").display()
            )),
            &["a/control/ipv4: kind heartbeat", "needs heartbeats"],
        );
        check(
            &target("kind: program, command: [/nowhere]"),
            &["a/control/ipv4: command: /nowhere"],
        );
        check(&target("kind: pigeon"), &["a/control/ipv4", "pigeon"]);
    }
}
