//! Observers cannot hear, and consumers cannot be heard; nobody begins with what has expired.

use rcgen::ExtendedKeyUsagePurpose::{self, Any, ClientAuth, ServerAuth};
use time::OffsetDateTime;

use super::*;

/// As an authority of one's own issues them, with the names of an observer and of a consumer both.
fn issued(purposes: Vec<ExtendedKeyUsagePurpose>) -> Identity {
    let authority = rcgen::KeyPair::generate().unwrap();
    let mut root = rcgen::CertificateParams::new(Vec::new()).unwrap();
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let roots = vec![root.self_signed(&authority).unwrap().der().clone()];
    let names = vec!["observer-1".to_owned(), CONSUMER_NAME.to_owned()];
    let mut own = rcgen::CertificateParams::new(names).unwrap();
    own.extended_key_usages = purposes;
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = own.signed_by(&key, &rcgen::Issuer::new(root, authority)).unwrap();
    Identity {
        cert_chain: vec![certificate.der().clone()],
        key: rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        roots,
    }
}

#[tokio::test]
async fn a_consumers_certificate_sends_no_evidence() {
    let fleet = Identity::generate_fleet(&["observer-1"], &["dns-1", "dns-2"]).unwrap();
    let metrics = ConsumerMetrics::default();
    let consumer = consumer_at(ANY, &fleet["dns-1"], Vec::new(), &metrics).unwrap();
    let posing = dial(&fleet["dns-2"], &consumer).await;
    // It may send before it is refused.
    let _sent = posing.send_datagram(datagram("dns-2", 1));
    let ended = posing.closed().await;
    assert!(
        role::lacks_role(&ended) && role::refused_by_tls(&ended),
        "{ended}"
    );
    until("the refusal's count", || count(&metrics, "wrong-role") == 1).await;
    let sends = dial(&fleet["observer-1"], &consumer).await;
    sends.send_datagram(datagram("observer-1", 1)).unwrap();
    until("an observer in the view", || {
        !consumer.view().observers.is_empty()
    })
    .await;
    assert_eq!(
        (count(&metrics, "accepted"), count(&metrics, "handshake")),
        (1, 0)
    );
}

#[tokio::test]
async fn an_observers_certificate_hears_no_evidence() {
    // With the consumers' name and without their role.
    let named = issued(vec![ClientAuth]);
    let server = tls::server(&named, &Profile::fast()).unwrap();
    let at = || UdpSocket::bind(ANY).unwrap();
    let endpoint = |server| Endpoint::new(EndpointConfig::default(), server, at(), Arc::new(TokioRuntime));
    let listens = endpoint(Some(server)).unwrap();
    let config = tls::client(&named, &Profile::fast(), 0).unwrap();
    let dials = endpoint(None).unwrap();
    let dialled = dials
        .connect_with(config, listens.local_addr().unwrap(), CONSUMER_NAME)
        .unwrap();
    let accepted = async { listens.accept().await.unwrap().await };
    let (refused, gone) = tokio::join!(dialled, accepted);
    let refused = refused.unwrap_err();
    assert!(
        role::lacks_role(&refused) && refused.to_string().contains("server authentication"),
        "{refused}"
    );
    assert!(gone.is_err());
}

#[tokio::test]
async fn certificates_that_say_nothing_or_both_are_for_both() {
    for purposes in [Vec::new(), vec![ClientAuth, ServerAuth]] {
        let both = issued(purposes);
        let metrics = ConsumerMetrics::default();
        let consumer = consumer_at(ANY, &both, Vec::new(), &metrics).unwrap();
        let observer = observer("observer-1", &both, Vec::new(), vec![consumer.local_addr()]);
        until("evidence", || count(&metrics, "accepted") > 0).await;
        observer.stop();
    }
}

#[test]
fn nobody_starts_with_a_certificate_of_another_role() {
    let observes = |tls: &Identity| {
        Observer::spawn(observer_config("observer-1", tls, Vec::new(), Vec::new()))
            .err()
            .map(|error| error.to_string())
    };
    let hears = |tls: &Identity| {
        consumer_at(ANY, tls, Vec::new(), &ConsumerMetrics::default())
            .err()
            .map(|error| error.to_string())
    };
    let told = |who: &str, whose: &str, usage: &str| {
        let told = format!(
            "{who}: identity: the certificate is not {whose}'s: its extended key usage lacks {usage}"
        );
        Some(told)
    };
    let no_observer = told("observer observer-1", "an observer", "clientAuth");
    let no_consumer = told("consumer dns-1", "a consumer", "serverAuth");
    let check = |purposes: Vec<ExtendedKeyUsagePurpose>, expected: (Option<String>, Option<String>)| {
        let tls = issued(purposes);
        assert_eq!((observes(&tls), hears(&tls)), expected);
    };
    check(Vec::new(), (None, None));
    check(vec![ClientAuth], (None, no_consumer.clone()));
    check(vec![ServerAuth], (no_observer.clone(), None));
    // TLS does not take it for either.
    check(vec![Any], (no_observer.clone(), no_consumer));

    let now = OffsetDateTime::now_utc();
    let authority = Authority::create(now).unwrap();
    let issue = |role| {
        let issued = authority.issue("observer-1", role, now, 1);
        issued.unwrap().into_identity()
    };
    assert_eq!(observes(&issue(Role::Observer)), None);
    assert_eq!(observes(&issue(Role::Consumer)), no_observer);
}

#[tokio::test]
async fn what_is_not_valid_now_is_refused_and_what_is_left_is_shown() {
    use time::Duration;
    let now = OffsetDateTime::now_utc();
    let authority = Authority::create(now - Duration::days(90)).unwrap();
    let issue = |role, from: i64, days| {
        let issued = authority.issue("observer-1", role, now + Duration::days(from), days);
        issued.unwrap().into_identity()
    };
    let short = issue(Role::Consumer, -1, 11);
    assert_eq!(short.days_left(now).map(f64::round), Some(10.0));
    assert!(short.not_before() < Some(now) && short.not_after() > Some(now));
    let metrics = ConsumerMetrics::default();
    let consumer = consumer_at(ANY, &short, Vec::new(), &metrics).unwrap();
    let config = observer_config(
        "observer-1",
        &issue(Role::Observer, 0, 365),
        Vec::new(),
        Vec::new(),
    );
    let observing = ObserverMetrics {
        own_certificates: metrics.own_certificates.clone(),
        ..ObserverMetrics::default()
    };
    let observer = Observer::spawn(ObserverConfig {
        metrics: observing,
        ..config
    })
    .unwrap();
    let shown = |who: &str| {
        let label = WhoLabel { who: who.into() };
        metrics
            .own_certificates
            .get(&label)
            .map(|days| days.get().round())
    };
    let both = || (shown("dns-1"), shown("observer-1"));
    until("what is left", || both() == (Some(10.0), Some(365.0))).await;
    consumer.set_identity(&issue(Role::Consumer, 0, 200)).unwrap();
    until("what is left of the renewed", || shown("dns-1") == Some(200.0)).await;

    for (from, told) in [(-60, "has expired, at 2"), (7, "is not valid before 2")] {
        let (observes, hears) = (issue(Role::Observer, from, 30), issue(Role::Consumer, from, 30));
        let started = Observer::spawn(observer_config("observer-1", &observes, Vec::new(), Vec::new()));
        let refusals = [
            started.err().map(|error| error.to_string()),
            observer
                .set_identity(observes)
                .err()
                .map(|error| error.to_string()),
            consumer.set_identity(&hears).err().map(|error| error.to_string()),
            consumer_at(ANY, &hears, Vec::new(), &metrics)
                .err()
                .map(|error| error.to_string()),
        ];
        for refusal in refusals {
            let refusal = refusal.unwrap_or_default();
            assert!(refusal.contains(told), "{refusal}");
        }
    }
}

#[test]
fn the_end_of_a_certificate_is_foretold() {
    let now = OffsetDateTime::now_utc();
    let authority = Authority::create(now).unwrap();
    let told = |days: i64| {
        let issued = authority.issue("observer-1", Role::Observer, now + time::Duration::days(days), 31);
        let identity = issued.unwrap().into_identity();
        identity.renewal_warning(now).unwrap_or_default()
    };
    assert_eq!(told(0), "");
    assert!(told(-2).contains("expires in 28 days, at 2"), "{}", told(-2));
    assert!(told(-40).contains("expired at 2"), "{}", told(-40));
}
