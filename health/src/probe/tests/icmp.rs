use super::*;

/// `net.ipv4.ping_group_range` must have the group of the test.
#[tokio::test]
#[ignore = "needs a network namespace that permits pings: just namespaces"]
async fn a_real_ping_is_answered() {
    for ip in ["127.0.0.1", "::1"] {
        let ip = ip.parse().unwrap();
        let prober = prober_with(patient(), &Check::Icmp { ip }, false);
        let row = prober.ask(Series::Warm).await;
        assert_eq!(prober.around.unusable.get(), 0, "{ip}: {}", prober.told());
        assert_eq!((row.success_streak, row.miss_streak), (1, 0), "{ip}");
        assert!(row.rtt_us > 0, "{ip}");
    }
}

/// Where the machine permits it, the loopback answers; where not, the target is not blamed.
#[tokio::test]
async fn an_echo_is_answered_or_its_absence_explained() {
    for ip in ["127.0.0.1", "::1"] {
        let ip = ip.parse().unwrap();
        let prober = prober_with(patient(), &Check::Icmp { ip }, false);
        let row = prober.ask(Series::Warm).await;
        if prober.around.unusable.get() == 1 {
            assert_eq!(row.age_ms, u32::MAX);
            assert!(
                prober.told().contains("net.ipv4.ping_group_range"),
                "{}",
                prober.told()
            );
        } else {
            assert_eq!((row.success_streak, row.miss_streak), (1, 0), "{ip}");
            assert!(row.rtt_us > 0);
        }
    }
}
