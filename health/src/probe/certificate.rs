//! How long a certificate has left: told by a metric always, by the log when it is not long.

use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::Prober;

const DAY_S: f64 = 86_400.0;

pub(super) fn look(prober: &Prober, certificate: &CertificateDer<'_>, warn_days: u16) {
    let Some(ends) = end(certificate) else { return };
    let days = days_left(ends, now());
    for name in prober.names.lock().clone() {
        let label = prober.certificate_label(name);
        let gauge = prober
            .around
            .metrics
            .certificate_expiry
            .get_or_create_owned(&label);
        gauge.set(days);
    }
    if days < f64::from(warn_days) {
        prober.tell(format!(
            "its certificate expires in {:.0} days",
            days.max(0.0).floor()
        ));
    }
}

/// Seconds since 1970 of `notAfter`.
fn end(certificate: &CertificateDer<'_>) -> Option<i64> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(parsed.validity().not_after.timestamp())
}

fn days_left(ends: i64, now: i64) -> f64 {
    ends.saturating_sub(now) as f64 / DAY_S
}

#[expect(
    clippy::disallowed_methods,
    reason = "a certificate's end is a date; it is told, and decides nothing"
)]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        assert_eq!(days_left(86_400 * 20, 86_400 * 6), 14.0);
        assert!(days_left(0, 1) < 0.0);
    }

    #[test]
    fn the_end_stands_in_the_certificate() {
        let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2035, 1, 2);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        assert_eq!(end(certificate.der()), Some(2_051_308_800));
        assert_eq!(end(&CertificateDer::from(vec![0x30, 0x03, 1, 2, 3])), None);
    }
}
