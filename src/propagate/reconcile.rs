//! From what is there to the writes that propagation asks for: bindings, works and collected statuses.
//! Pure: the same index gives the same writes, however it came to be.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Value, json};

use super::{
    binding, dependencies, names,
    policy::{self, PolicyView},
    status, works,
};
use crate::{
    api,
    controller::Kinds,
    schedule,
    store::{Index, Key, Kind, Op, Write, name, namespace, uid},
};

/// What one round found out besides its writes.
#[derive(Default)]
pub struct Round {
    pub writes: Vec<Write>,
    /// Policies that cannot be read, select nothing or name unknown clusters: (kind, key, message).
    pub complaints: Vec<(Kind, Key, String)>,
}

/// The policies that can be read; the others are complained about and stop nothing.
pub fn policies(index: &Index, kinds: &Kinds, round: &mut Round) -> Vec<PolicyView> {
    let mut read = Vec::new();
    for kind in [&kinds.policy, &kinds.cluster_policy] {
        for object in index.list(kind) {
            match PolicyView::read(&object) {
                Ok(policy) => {
                    let errors = api::validate::propagation(&policy.spec, policy.namespace.as_deref());
                    if errors.is_empty() {
                        read.push(policy);
                        continue;
                    }
                    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                    round
                        .complaints
                        .push((kind.clone(), Key::of(&object), errors.join("; ")));
                }
                Err(error) => round
                    .complaints
                    .push((kind.clone(), Key::of(&object), error.to_string())),
            }
        }
    }
    read
}

/// One round over all templates of `template_kinds`.
pub fn reconcile(index: &Index, kinds: &Kinds, template_kinds: &[Kind]) -> Round {
    let mut round = Round::default();
    let clusters: BTreeSet<String> = index
        .list(&kinds.cluster)
        .iter()
        .map(|cluster| name(cluster).to_owned())
        .collect();
    round.writes.extend(execution_namespaces(index, kinds, &clusters));
    let policies = policies(index, kinds, &mut round);
    let works = works_by_binding(index, kinds, &clusters);
    let mut templates: BTreeMap<(Kind, Key), Arc<Value>> = BTreeMap::new();
    let mut selected = vec![false; policies.len()];
    for kind in template_kinds {
        for template in index.list(kind) {
            if template.pointer("/metadata/deletionTimestamp").is_some() || reserved(namespace(&template)) {
                continue;
            }
            let key = Key::of(&template);
            if let Some(winner) = policy::winner(&template, &policies) {
                if let Some(position) = policies.iter().position(|policy| std::ptr::eq(policy, winner)) {
                    selected[position] = true;
                }
                claim(&mut round, kind, &template, winner);
                bind(&mut round, index, kinds, &template, winner);
            }
            templates.insert((kind.clone(), key), template);
        }
    }
    attach(&mut round, index, kinds, template_kinds, &templates);
    for kind in [&kinds.binding, &kinds.cluster_binding] {
        for held in index.list(kind) {
            let template = template_of(&held, template_kinds).and_then(|(kind, key)| {
                templates
                    .get(&(kind.clone(), key))
                    .map(|template| (kind, template))
            });
            carry_out(&mut round, kinds, kind, &held, template, &works, &clusters);
        }
    }
    let known = clusters.iter().map(String::as_str).collect();
    for (policy, selected) in policies.iter().zip(selected) {
        let placement = policy.spec.placement.as_ref();
        let unknown = placement.and_then(|placement| schedule::unknown_clusters(placement, &known));
        let idle = (!selected).then(|| no_effect(policy, template_kinds, &templates));
        let problems: Vec<String> = idle.into_iter().chain(unknown).collect();
        if !problems.is_empty() {
            let kind = if policy.namespace.is_some() {
                &kinds.policy
            } else {
                &kinds.cluster_policy
            };
            let key = Key::new(policy.namespace.as_deref().unwrap_or(""), &policy.name);
            round.complaints.push((kind.clone(), key, problems.join("; ")));
        }
    }
    round
}

/// Why a policy has no object.
fn no_effect(policy: &PolicyView, kinds: &[Kind], templates: &BTreeMap<(Kind, Key), Arc<Value>>) -> String {
    for (at, selector) in policy.spec.resource_selectors.iter().enumerate() {
        let served = |kind: &Kind| kind.kind == selector.kind && kind.api_version() == selector.api_version;
        if !kinds.iter().any(served) {
            return format!(
                "spec.resourceSelectors[{at}]: no kind {:?} of apiVersion {:?} is served here; allowed are those that \
                 `kubectl api-resources` lists",
                selector.kind, selector.api_version
            );
        }
    }
    match templates
        .values()
        .find(|template| policy.selects(template).is_some())
    {
        Some(template) => format!(
            "spec.resourceSelectors: every object they select, such as {}, is claimed by another policy",
            api::object::describe(template)
        ),
        None => "spec.resourceSelectors: no object they select exists in this namespace".to_owned(),
    }
}

/// Each cluster's works live in a namespace of its own. One whose cluster is no longer registered goes, and its
/// works before it; what they put into the member stays there, for nobody can be asked to take it away.
fn execution_namespaces(index: &Index, kinds: &Kinds, clusters: &BTreeSet<String>) -> Vec<Write> {
    let kind = &kinds.namespace;
    let mut writes = Vec::new();
    for cluster in clusters {
        let key = Key::new("", &names::execution_namespace(cluster));
        if index.get(kind, &key).is_none() {
            let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": key.name } });
            let op = Op::Create(object);
            writes.push(Write {
                kind: kind.clone(),
                key,
                op,
            });
        }
    }
    for held in index.list(kind) {
        let removed = names::cluster_of(name(&held)).is_some_and(|cluster| !clusters.contains(cluster));
        if !removed {
            continue;
        }
        let left = index.list_namespace(&kinds.work, name(&held));
        writes.extend(left.iter().flat_map(|work| release(kinds, work)));
        if left.is_empty() && held.pointer("/metadata/deletionTimestamp").is_none() {
            writes.push(delete(kind, &held));
        }
    }
    writes
}

/// Deletes a work and does not wait for its member.
fn release(kinds: &Kinds, work: &Value) -> Option<Write> {
    if work.pointer("/metadata/deletionTimestamp").is_none() {
        return Some(delete(&kinds.work, work));
    }
    without_finalizer(work, works::FINALIZER).map(|op| Write {
        kind: kinds.work.clone(),
        key: Key::of(work),
        op,
    })
}

/// The patch that takes our finalizer off an object; `None` where it has none.
fn without_finalizer(object: &Value, finalizer: &str) -> Option<Op> {
    let held = object.pointer("/metadata/finalizers")?.as_array()?;
    let kept: Vec<&Value> = held.iter().filter(|f| *f != finalizer).collect();
    let version = &object["metadata"]["resourceVersion"];
    (kept.len() < held.len())
        .then(|| Op::Merge(json!({ "metadata": { "finalizers": kept, "resourceVersion": version } })))
}

/// Karmada never propagates from these; the first are its default for `--skipped-propagating-namespaces`.
fn reserved(namespace: &str) -> bool {
    namespace.starts_with("kube-") || names::is_reserved(namespace)
}

fn claim(round: &mut Round, kind: &Kind, template: &Value, policy: &PolicyView) {
    if let Some(patch) = policy::claim_patch(template, policy) {
        round.writes.push(Write {
            kind: kind.clone(),
            key: Key::of(template),
            op: Op::Merge(patch),
        });
    }
}

fn bind(round: &mut Round, index: &Index, kinds: &Kinds, template: &Value, policy: &PolicyView) {
    let desired = binding::desired(template, policy);
    let kind = if namespace(template).is_empty() {
        &kinds.cluster_binding
    } else {
        &kinds.binding
    };
    let key = Key::of(&desired);
    let op = match index.get(kind, &key) {
        None => Op::Create(desired),
        // A binding of a template that was deleted and made anew goes first; its garbage collection is under way.
        Some(held) if held.pointer("/metadata/deletionTimestamp").is_some() => return,
        Some(held) => match binding::patch(&held, &desired) {
            Some(patch) => Op::Merge(patch),
            None => return,
        },
    };
    round.writes.push(Write {
        kind: kind.clone(),
        key,
        op,
    });
}

/// Bindings of what other bindings' objects need.
fn attach(
    round: &mut Round,
    index: &Index,
    kinds: &Kinds,
    template_kinds: &[Kind],
    templates: &BTreeMap<(Kind, Key), Arc<Value>>,
) {
    let kind = &kinds.binding;
    let bindings = index.list(kind);
    let mut write = |key: Key, op: Op| {
        round.writes.push(Write {
            kind: kind.clone(),
            key,
            op,
        });
    };
    let mut wanted: BTreeMap<Key, (&Value, Vec<&Value>)> = BTreeMap::new();
    let mut unknown = BTreeSet::new();
    for held in bindings.iter().filter(|held| dependencies::asked_for(held)) {
        let template = template_of(held, template_kinds).and_then(|of| templates.get(&of));
        let Some(template) = template.filter(|template| owns(template, held)) else {
            unknown.insert(Key::of(held));
            continue;
        };
        let needed = dependencies::needed(template);
        if let Some(patch) = dependencies::record_patch(held, &needed) {
            write(Key::of(held), Op::Merge(patch));
        }
        if held.pointer("/spec/clusters").is_none() {
            continue;
        }
        for needed in needed {
            let of_kind = |kind: &&Kind| kind.kind == needed.kind && kind.api_version() == needed.api_version;
            let key = Key::new(&needed.namespace, &needed.name);
            let object = template_kinds
                .iter()
                .find(of_kind)
                .and_then(|kind| templates.get(&(kind.clone(), key)));
            if let Some(object) = object {
                let (_, by) = wanted
                    .entry(dependencies::binding_key(object))
                    .or_insert((object, Vec::new()));
                by.push(held);
            }
        }
    }
    for held in &bindings {
        let by = wanted.remove(&Key::of(held)).map(|(_, by)| by);
        // A binding of a template that was deleted and made anew goes first.
        if held.pointer("/metadata/deletionTimestamp").is_some() {
            continue;
        }
        match dependencies::patch(held, &by.unwrap_or_default(), &unknown) {
            Some(patch) if dependencies::is_orphaned_by(held, &patch) => {
                let uid = uid(held).to_owned();
                write(Key::of(held), Op::Delete { uid });
            }
            Some(patch) => write(Key::of(held), Op::Merge(patch)),
            None => {}
        }
    }
    for (key, (object, by)) in wanted {
        write(key, Op::Create(dependencies::attached(object, &by)));
    }
}

/// The template a binding was made from.
fn template_of(held: &Value, template_kinds: &[Kind]) -> Option<(Kind, Key)> {
    let resource = held.pointer("/spec/resource")?;
    let text = |field: &str| resource[field].as_str().unwrap_or_default();
    let kind = template_kinds
        .iter()
        .find(|kind| kind.kind == text("kind") && kind.api_version() == text("apiVersion"))?;
    Some((kind.clone(), Key::new(text("namespace"), text("name"))))
}

/// Works, and statuses on their way back, of one binding.
fn carry_out(
    round: &mut Round,
    kinds: &Kinds,
    kind: &Kind,
    held: &Value,
    template: Option<(Kind, &Arc<Value>)>,
    works: &BTreeMap<(String, String), Vec<Arc<Value>>>,
    clusters: &BTreeSet<String>,
) {
    let existing = works
        .get(&(namespace(held).to_owned(), name(held).to_owned()))
        .map_or(&[][..], Vec::as_slice);
    let deleting = held.pointer("/metadata/deletionTimestamp").is_some();
    let Some((template_kind, template)) = template.filter(|(_, template)| !deleting && owns(template, held))
    else {
        // Only a template that is known to be gone takes its works along; one that is merely not listed yet does not.
        if deleting {
            remove_all(round, kinds, kind, held, existing);
        }
        return;
    };
    let mut desired = works::desired(held, template);
    desired.retain(|work| works::cluster(work).is_some_and(|cluster| clusters.contains(cluster)));
    for work in &desired {
        let current = existing
            .iter()
            .find(|existing| Key::of(existing) == Key::of(work));
        let op = match current {
            None => Op::Create(work.clone()),
            Some(current) if current.pointer("/metadata/deletionTimestamp").is_some() => continue,
            Some(current) => match works::patch(current, work) {
                Some(patch) => Op::Merge(patch),
                None => continue,
            },
        };
        round.writes.push(Write {
            kind: kinds.work.clone(),
            key: Key::of(work),
            op,
        });
    }
    let existing: Vec<&Value> = existing.iter().map(AsRef::as_ref).collect();
    for orphan in works::orphans(&existing, &desired) {
        round.writes.push(delete(&kinds.work, orphan));
    }
    let by_cluster: Vec<(String, &Value)> = existing
        .iter()
        .filter_map(|work| Some((works::cluster(work)?.to_owned(), *work)))
        .collect();
    if let Some(mut patch) = status::binding_patch(held, &by_cluster) {
        // The list of conditions is shared with the scheduler.
        patch["metadata"] = json!({ "resourceVersion": held["metadata"]["resourceVersion"] });
        round.writes.push(Write {
            kind: kind.clone(),
            key: Key::of(held),
            op: Op::MergeStatus(patch),
        });
    }
    if let Some(patch) = status::template_patch(template, held) {
        round.writes.push(Write {
            kind: template_kind,
            key: Key::of(template),
            op: Op::MergeStatus(patch),
        });
    }
}

fn owns(template: &Value, held: &Value) -> bool {
    held.pointer("/spec/resource/uid")
        .and_then(Value::as_str)
        .is_none_or(|of| of.is_empty() || of == uid(template))
}

/// A binding that is being deleted: first its works, and when they are gone its finalizer.
fn remove_all(round: &mut Round, kinds: &Kinds, kind: &Kind, held: &Value, existing: &[Arc<Value>]) {
    for work in existing {
        if work.pointer("/metadata/deletionTimestamp").is_none() {
            round.writes.push(delete(&kinds.work, work));
        }
    }
    if existing.is_empty()
        && let Some(op) = without_finalizer(held, binding::FINALIZER)
    {
        round.writes.push(Write {
            kind: kind.clone(),
            key: Key::of(held),
            op,
        });
    }
}

fn delete(kind: &Kind, object: &Value) -> Write {
    Write {
        kind: kind.clone(),
        key: Key::of(object),
        op: Op::Delete {
            uid: uid(object).to_owned(),
        },
    }
}

/// Works of registered clusters by the (namespace, name) of their binding.
fn works_by_binding(
    index: &Index,
    kinds: &Kinds,
    clusters: &BTreeSet<String>,
) -> BTreeMap<(String, String), Vec<Arc<Value>>> {
    let mut by_binding: BTreeMap<(String, String), Vec<Arc<Value>>> = BTreeMap::new();
    let registered = |work: &Arc<Value>| works::cluster(work).is_some_and(|at| clusters.contains(at));
    for work in index.list(&kinds.work).into_iter().filter(registered) {
        if let Some(binding) = works::binding(&work) {
            by_binding.entry(binding).or_default().push(work);
        }
    }
    by_binding
}
