//! Where the VIP sends a request: hosts and paths of Ingresses, names of Services, and the ready pods behind them.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use crate::member::{
    controllers::pods,
    json::{self, deleting, list, map, selects, text},
    world::World,
};

/// The routes of one moment.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    /// By host; rules with the longest path first.
    ingresses: BTreeMap<String, Vec<Rule>>,
    /// By name; the namespace `default` wins, then the first in order.
    services: BTreeMap<String, Arc<Application>>,
}

#[derive(Debug)]
struct Rule {
    path: String,
    exact: bool,
    application: Option<Arc<Application>>,
    service: String,
}

/// A Service and its ready pods.
#[derive(Debug)]
pub(crate) struct Application {
    pub(crate) namespace: String,
    pub(crate) name: String,
    ready: Vec<PodRef>,
}

#[derive(Debug)]
pub(crate) struct PodRef {
    pub(crate) name: String,
    pub(crate) node: String,
}

/// Pods to choose from; at least one.
pub(crate) struct ReadyPods<'a>(&'a PodRef, &'a [PodRef]);

impl<'a> ReadyPods<'a> {
    /// In turn over all of them.
    pub(crate) fn pick(&self, turn: u64) -> &'a PodRef {
        let count = u64::try_from(self.1.len()).unwrap_or(1).max(1);
        usize::try_from(turn % count)
            .ok()
            .and_then(|index| self.1.get(index))
            .unwrap_or(self.0)
    }
}

pub(crate) enum Found<'a> {
    Pods(&'a Application, ReadyPods<'a>),
    /// The application has no ready pod here.
    NoPod(&'a str),
    NoRoute,
}

impl Routes {
    pub(crate) fn of(world: &World) -> Self {
        let mut by_key: BTreeMap<(String, String), Arc<Application>> = BTreeMap::new();
        for service in world.services.iter().filter(|service| !deleting(service)) {
            let application = Arc::new(application(world, service));
            by_key.insert(
                (application.namespace.clone(), application.name.clone()),
                application,
            );
        }
        let mut services: BTreeMap<String, Arc<Application>> = BTreeMap::new();
        for ((namespace, name), application) in &by_key {
            if namespace == "default" || !services.contains_key(name) {
                services.insert(name.clone(), application.clone());
            }
        }
        let mut ingresses: BTreeMap<String, Vec<Rule>> = BTreeMap::new();
        for ingress in world.ingresses.iter().filter(|ingress| !deleting(ingress)) {
            for rule in list(ingress, "/spec/rules") {
                let rules = ingresses
                    .entry(text(rule, "/host").to_ascii_lowercase())
                    .or_default();
                rules.extend(
                    list(rule, "/http/paths")
                        .iter()
                        .map(|path| self::rule(ingress, path, &by_key)),
                );
            }
        }
        for rules in ingresses.values_mut() {
            rules.sort_by_key(|rule| std::cmp::Reverse((rule.path.len(), rule.exact)));
        }
        Self { ingresses, services }
    }

    pub(crate) fn find(&self, host: &str, path: &str) -> Found<'_> {
        let rules = self.ingresses.get(host).into_iter().flatten();
        if let Some(rule) = rules.into_iter().find(|rule| rule.takes(path)) {
            return rule
                .application
                .as_deref()
                .map_or(Found::NoPod(&rule.service), serve);
        }
        let name = host.split('.').next().unwrap_or("");
        self.services
            .get(name)
            .map_or(Found::NoRoute, |application| serve(application))
    }
}

fn serve(application: &Application) -> Found<'_> {
    match application.ready.first() {
        Some(first) => Found::Pods(application, ReadyPods(first, &application.ready)),
        None => Found::NoPod(&application.name),
    }
}

impl Rule {
    fn takes(&self, path: &str) -> bool {
        if self.exact {
            return path == self.path;
        }
        let prefix = self.path.trim_end_matches('/');
        path.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

fn rule(ingress: &Value, path: &Value, applications: &BTreeMap<(String, String), Arc<Application>>) -> Rule {
    let service = text(path, "/backend/service/name").to_owned();
    let application = applications
        .get(&(json::namespace(ingress).to_owned(), service.clone()))
        .cloned();
    let exact = path["pathType"] == "Exact";
    Rule {
        path: text(path, "/path").to_owned(),
        exact,
        application,
        service,
    }
}

fn application(world: &World, service: &Value) -> Application {
    let selector = map(service, "/spec/selector");
    let ready = world.pods.iter().filter(|pod| {
        json::namespace(pod) == json::namespace(service)
            && pods::ready(pod)
            && selects(selector, map(pod, "/metadata/labels"))
    });
    Application {
        namespace: json::namespace(service).to_owned(),
        name: json::name(service).to_owned(),
        ready: ready
            .map(|pod| PodRef {
                name: json::name(pod).to_owned(),
                node: text(pod, "/spec/nodeName").to_owned(),
            })
            .collect(),
    }
}
