//! How an answer comes about, step by step: the same functions the answer path runs, told in words.

mod service;

use std::net::IpAddr;

use ipnet::IpNet;
use lifeboat_health::{Family, Gray, GrayState, Verdict};
use serde::Serialize;
use thiserror::Error;

use crate::answer::{MAX_ALIASES, flattens};
use crate::gate::table::{GateTable, GateValue};
use crate::gate::{self, Action, FULL, GateView, OrderView};
use crate::name::{MAX_WIRE_LEN, Name};
use crate::snapshot::{AllDown, Lookup, RrData, RrSet, Snapshot, Steered};
use crate::steer::client::Client;
use crate::steer::health::Health;
use crate::steer::{self, Asked};
use crate::wire::query::QName;
use crate::wire::{Rcode, rtype};

/// A question that cannot be explained.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExplainError {
    #[error("name `{name}`: {reason}")]
    Name { name: String, reason: String },
    #[error("type `{0}`: is not known; A, AAAA, HTTPS, SVCB, NS, SOA, TXT, ANY and TYPEn are")]
    Kind(String),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    pub name: String,
    pub kind: String,
    pub client: IpAddr,
    /// The network of an ECS option in the query (RFC 7871).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet: Option<IpNet>,
    /// How many bits of the client's address the answer depends on; with an ECS option, its scope.
    pub scope: u8,
    /// The zone that answers, where one of ours does.
    pub zone: Option<String>,
    pub rcode: Rcode,
    pub ttl: Option<u32>,
    pub panic: bool,
    pub steps: Vec<Step>,
    /// One sentence: what the client gets.
    pub answer: String,
}

/// One filter of the chain and what it left.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    pub filter: String,
    pub detail: String,
    pub candidates: Vec<StepCandidate>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepCandidate {
    pub cluster: String,
    pub addresses: Vec<IpAddr>,
    /// Weight in the plan.
    pub weight: u32,
    /// Share of the plan weight that health lets through, 0 to 1.
    pub gate: f64,
    /// Share of the answers after this step, 0 to 1.
    pub share: f64,
    pub note: String,
}

pub(super) fn explain(
    snapshot: &Snapshot,
    gates: &GateTable,
    views: &[GateView],
    name: &str,
    kind: &str,
    client: IpAddr,
    subnet: Option<IpNet>,
) -> Result<Explanation, ExplainError> {
    let bad_name = |reason: String| ExplainError::Name {
        name: name.to_owned(),
        reason,
    };
    let parsed = Name::parse(name).map_err(|error| bad_name(error.to_string()))?;
    let qtype = rtype::parse(kind).ok_or_else(|| ExplainError::Kind(kind.to_owned()))?;
    let mut qname = QName::new();
    qname
        .read(parsed.wire(), 0)
        .ok_or_else(|| bad_name("does not fit a message".to_owned()))?;
    let mut explanation = Explanation {
        name: parsed.to_string(),
        kind: rtype::text(qtype),
        client,
        subnet,
        scope: 0,
        zone: None,
        rcode: Rcode::NoError,
        ttl: None,
        panic: false,
        steps: Vec::new(),
        answer: String::new(),
    };
    // The answer path follows as many aliases.
    for _ in 0..=MAX_ALIASES {
        match step(&mut explanation, snapshot, &qname, qtype) {
            Next::Done => return Ok(explanation),
            Next::Sets(sets) => {
                present(&mut explanation, snapshot, gates, views, sets, qtype);
                return Ok(explanation);
            }
            Next::Name(target) => {
                explanation.answer = format!("an alias to {}", Name::from_wire(&target));
                if qname.read(&target, 0).is_none() {
                    break;
                }
            }
        }
    }
    Ok(explanation)
}

/// Where a lookup leads.
enum Next<'a> {
    Done,
    Sets(&'a [RrSet]),
    Name(Vec<u8>),
}

fn step<'a>(explanation: &mut Explanation, snapshot: &'a Snapshot, qname: &QName, qtype: u16) -> Next<'a> {
    match snapshot.lookup(qname, qtype) {
        Lookup::NotOurs if explanation.steps.is_empty() => {
            explanation.rcode = Rcode::Refused;
            explanation.say("lookup", "no zone of this server encloses the name");
            "REFUSED".clone_into(&mut explanation.answer);
        }
        Lookup::NotOurs => explanation.say("lookup", "no zone of this server encloses the alias's target"),
        Lookup::Broken(zone) if explanation.steps.is_empty() => {
            explanation.rcode = Rcode::ServFail;
            explanation.zone = Some(zone.apex.to_string());
            explanation.say("lookup", format!("the zone {} could not be loaded", zone.apex));
            "SERVFAIL".clone_into(&mut explanation.answer);
        }
        Lookup::Broken(zone) => {
            explanation.say(
                "lookup",
                format!("the zone {} of the alias's target could not be loaded", zone.apex),
            );
        }
        Lookup::Absent(zone) => {
            explanation.rcode = Rcode::NxDomain;
            explanation.zone = Some(zone.apex.to_string());
            explanation.say("lookup", format!("the zone {} has no such name", zone.apex));
            "NXDOMAIN, with the zone's SOA".clone_into(&mut explanation.answer);
        }
        Lookup::Delegated {
            owner_len, servers, ..
        } => {
            let cut = qname.wire().len().saturating_sub(owner_len);
            let cut = Name::from_wire(qname.wire().get(cut..).unwrap_or_default());
            explanation.say("lookup", format!("{cut} is delegated to other name servers"));
            explanation.ttl = Some(servers.ttl_s);
            explanation.answer = format!("a referral to the name servers of {cut}");
        }
        Lookup::Redirected { owner_len, dname, .. } => {
            let own = qname.wire().len().saturating_sub(owner_len);
            let mut target = qname.wire().get(..own).unwrap_or_default().to_vec();
            target.extend_from_slice(snapshot.first_data(dname));
            explanation.ttl = Some(dname.ttl_s);
            let long = target.len() > MAX_WIRE_LEN;
            if long {
                explanation.rcode = Rcode::YxDomain;
                explanation.say("dname", "the name that the DNAME makes is too long");
                "YXDOMAIN".clone_into(&mut explanation.answer);
                return Next::Done;
            }
            explanation.say(
                "dname",
                format!("the name lies below a DNAME and is {}", Name::from_wire(&target)),
            );
            return Next::Name(target);
        }
        Lookup::Present { zone, sets } => {
            explanation.zone = Some(zone.apex.to_string());
            let of = |kind| sets.iter().find(|set| set.kind == kind);
            if qtype != rtype::ANY
                && of(qtype).is_none()
                && let Some(alias) = of(rtype::CNAME)
            {
                let target = snapshot.first_data(alias).to_vec();
                explanation.ttl = Some(alias.ttl_s);
                explanation.say(
                    "cname",
                    format!("the name is an alias of {}", Name::from_wire(&target)),
                );
                return Next::Name(target);
            }
            if flattens(qtype)
                && of(qtype).is_none()
                && let Some(alias) = of(rtype::ALIAS)
            {
                let target = snapshot.first_data(alias).to_vec();
                explanation.say(
                    "alias",
                    format!("the name has the addresses of {}", Name::from_wire(&target)),
                );
                return Next::Name(target);
            }
            return Next::Sets(sets);
        }
    }
    Next::Done
}

fn present(
    explanation: &mut Explanation,
    snapshot: &Snapshot,
    gates: &GateTable,
    views: &[GateView],
    sets: &[RrSet],
    qtype: u16,
) {
    let kinds: Vec<String> = sets.iter().map(|set| rtype::text(set.kind)).collect();
    let held = if kinds.is_empty() {
        "nothing (names below it exist)".to_owned()
    } else {
        kinds.join(", ")
    };
    explanation.say("lookup", format!("the name exists and has {held}"));
    if qtype == rtype::ANY && !sets.is_empty() {
        "HINFO that refers to RFC 8482".clone_into(&mut explanation.answer);
        return;
    }
    let Some(set) = sets.iter().find(|set| set.kind == qtype) else {
        explanation.answer = format!("no data for {}, with the zone's SOA", explanation.kind);
        return;
    };
    explanation.ttl = Some(set.ttl_s);
    match &set.data {
        RrData::Fixed { count, .. } => {
            explanation.answer = format!(
                "{count} fixed {} record(s), TTL {} s",
                explanation.kind, set.ttl_s
            );
        }
        RrData::Steered(steered) => steer_steps(explanation, snapshot, gates, views, set, steered),
        RrData::Service(service) => {
            service::steps(explanation, snapshot, gates, views, service, sets);
        }
    }
}

fn steer_steps(
    explanation: &mut Explanation,
    snapshot: &Snapshot,
    gates: &GateTable,
    views: &[GateView],
    set: &RrSet,
    steered: &Steered,
) {
    for told in gates.names.of(steered.owner, |order| {
        order.map(|order| order.told.clone()).unwrap_or_default()
    }) {
        explanation.say("override", told);
    }
    let mut effective = Vec::new();
    let health = steer::effective(steered, gates, &mut effective);
    let ttl_s = set.ttl_s(steered, health);
    explanation.ttl = Some(ttl_s);
    explanation.panic = health.is_panic();
    let total: f64 = effective.iter().map(|weight| as_f64(*weight)).sum();
    let after_health: Vec<f64> = effective
        .iter()
        .map(|weight| as_f64(*weight) / total.max(1.0))
        .collect();
    let detail = match health {
        Health::Normal | Health::Degraded => "each weight times the gate of its cluster",
        Health::Spare => {
            "nobody else can serve, so those do that are healthy and only held back for flapping"
        }
        Health::Held | Health::LastGood => match (steered.all_down, health) {
            (AllDown::All, _) => "PANIC: no candidate is known to be healthy, so all serve, as the plan says",
            (AllDown::Fallback { .. }, _) => {
                "PANIC: no candidate is known to be healthy, so the plan's fallback serves"
            }
            (AllDown::ServFail, _) => "PANIC: no candidate is known to be healthy, so the plan says SERVFAIL",
            (AllDown::LastGood, Health::Held) => {
                "PANIC: no survivor is positively healthy, so nothing is withdrawn"
            }
            (AllDown::LastGood, _) => "PANIC: every candidate is withdrawn, so the last good set serves",
        },
    };
    let candidates = |shares: &[f64]| candidates(snapshot, gates, views, (set.kind, steered), shares);
    let health_step = Step {
        filter: "health".to_owned(),
        detail: detail.to_owned(),
        candidates: candidates(&after_health),
    };
    explanation.steps.push(health_step);
    if health.is_panic() {
        match steered.all_down {
            AllDown::LastGood | AllDown::All => {}
            AllDown::ServFail => {
                explanation.rcode = Rcode::ServFail;
                explanation.ttl = None;
                "SERVFAIL".clone_into(&mut explanation.answer);
                return;
            }
            AllDown::Fallback { count, .. } => {
                explanation.answer = format!("{count} fallback address(es), TTL {ttl_s} s");
                return;
            }
        }
    }
    let asked = Asked {
        client: asker(explanation),
        geo: snapshot.geo(),
        draw: 0,
    };
    explanation.scope = steer::choose(steered, gates, &asked, &mut Vec::new()).scope;
    let steps = steer::trace(steered, &effective, Some(&asked));
    explanation.steps.extend(steps.into_iter().map(|step| Step {
        filter: step.filter.to_owned(),
        detail: step.told,
        candidates: candidates(&step.shares),
    }));
    let last = explanation.steps.last().map(|step| step.candidates.as_slice());
    explanation.answer = format!("{}, TTL {} s", told(last.unwrap_or_default()), ttl_s);
}

/// The candidates of one step with their shares.
fn candidates(
    snapshot: &Snapshot,
    gates: &GateTable,
    views: &[GateView],
    (kind, steered): (u16, &Steered),
    shares: &[f64],
) -> Vec<StepCandidate> {
    let family = if kind == rtype::AAAA {
        Family::V6
    } else {
        Family::V4
    };
    steered
        .candidates
        .iter()
        .zip(shares)
        .map(|(candidate, share)| {
            let value = gates.load(candidate.slot);
            let cluster = snapshot.cluster(candidate);
            let view = views
                .iter()
                .find(|view| view.cluster == cluster && view.family == family);
            StepCandidate {
                cluster: cluster.to_owned(),
                addresses: snapshot.address_list(kind, candidate),
                weight: candidate.weight,
                gate: gate::share(value),
                share: *share,
                note: note(candidate.weight, value, view, *share),
            }
        })
        .collect()
}

/// Those with a share, and it.
fn told(candidates: &[StepCandidate]) -> String {
    let parts: Vec<String> = candidates
        .iter()
        .filter(|candidate| candidate.share > 0.0)
        .map(|candidate| format!("{} {:.1} %", candidate.cluster, candidate.share * 100.0))
        .collect();
    parts.join(", ")
}

/// Whom the answer is for: a network of length 0 asks not to be told apart (RFC 7871 §7.1.2).
fn asker(explanation: &Explanation) -> Client {
    let told = explanation.subnet.filter(|subnet| subnet.prefix_len() > 0);
    Client::of_address(told.map_or(explanation.client, |subnet| subnet.network()))
}

fn note(weight: u32, value: GateValue, view: Option<&GateView>, share: f64) -> String {
    let mut of_health = health_note(weight, value, view, share);
    if view.is_some_and(|view| view.frozen) {
        let then = if of_health.is_empty() { "" } else { "; " };
        of_health = format!("{of_health}{then}frozen: too few observers are heard to decide anything");
    }
    let Some(order) = view.and_then(|view| view.ordered.as_ref()) else {
        return of_health;
    };
    let OrderView { action, reason, .. } = order;
    if order.lifted {
        return format!("override {action} is lifted, too few clusters would be active; {of_health}");
    }
    match action {
        Action::Up | Action::Down => format!("override {action}: {reason}"),
        Action::Weight(_) if of_health.is_empty() => format!("override {action}: {reason}"),
        Action::Weight(_) => format!("override {action}: {reason}; {of_health}"),
    }
}

fn health_note(weight: u32, value: GateValue, view: Option<&GateView>, share: f64) -> String {
    let held_back = view.and_then(|view| Some((view.verdict, view.held_back?)));
    if let (1.., Some((verdict, held_back))) = (weight, held_back) {
        return match verdict {
            Verdict::Down if share > 0.0 => format!("down, used for want of a better; {held_back}"),
            Verdict::Down => format!("down; {held_back}"),
            Verdict::Unknown | Verdict::Up | Verdict::Suspect | Verdict::Recovering if share > 0.0 => {
                format!("{held_back}; used, because nobody else is known to be healthy")
            }
            Verdict::Unknown | Verdict::Up | Verdict::Suspect | Verdict::Recovering => held_back.to_string(),
        };
    }
    let gray = view
        .map(|view| &view.gray)
        .filter(|gray| gray.degree > Gray::None);
    let gray = gray.filter(|_| weight > 0 && value.gate > 0).map(gray_note);
    let text = match (weight, value.gate, value.held) {
        (0, _, _) => "weight 0 in the plan",
        (_, 0, _) if share > 0.0 => "withdrawn, in the last good set",
        (_, 0, _) => "withdrawn",
        (_, _, true) => "down, kept by PANIC",
        (_, gate, _) if gate < FULL => "ramping up after its return",
        _ => "",
    };
    match gray {
        None => text.to_owned(),
        Some(gray) if text.is_empty() => gray,
        Some(gray) => format!("{text}; {gray}"),
    }
}

fn gray_note(gray: &GrayState) -> String {
    let percent = f64::from(gray.factor_permille) / 10.0;
    format!("gray, so {percent:.0} % of its weight: {}", gray.reason)
}

#[expect(clippy::cast_precision_loss, reason = "shares are shown to people")]
fn as_f64(weight: u64) -> f64 {
    weight as f64
}

impl Explanation {
    fn say(&mut self, filter: &str, detail: impl Into<String>) {
        self.steps.push(Step {
            filter: filter.to_owned(),
            detail: detail.into(),
            candidates: Vec::new(),
        });
    }
}
