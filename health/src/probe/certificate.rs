//! How long a certificate has left: told by a metric always, by the log when it is not long.

use rustls::CertificateError;
use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::Prober;

const DAY_S: f64 = 86_400.0;
const HOUR_S: i64 = 3_600;

pub(super) fn look(prober: &Prober, certificate: &CertificateDer<'_>, warn_days: u16) {
    let Some(ends) = end(certificate) else { return };
    let left = ends.saturating_sub(now());
    show(prober, left);
    if days(left) < f64::from(warn_days) {
        prober.warn_of_certificate(&format!("it expires in {}", rounded(left)));
    }
}

/// The same of one that a handshake failed with because it has expired. The failure itself is told as such.
pub(super) fn look_at_refused(prober: &Prober, error: &rustls::Error) {
    if let rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) = error {
        let ends = i64::try_from(not_after.as_secs()).unwrap_or(i64::MAX);
        show(prober, ends.saturating_sub(now()));
    }
}

fn show(prober: &Prober, left: i64) {
    for name in prober.names.lock().clone() {
        let label = prober.certificate_label(name);
        let gauge = prober
            .around
            .metrics
            .certificate_expiry
            .get_or_create_owned(&label);
        gauge.set(days(left));
    }
}

/// Seconds since 1970 of `notAfter`.
fn end(certificate: &CertificateDer<'_>) -> Option<i64> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(parsed.validity().not_after.timestamp())
}

fn days(seconds: i64) -> f64 {
    seconds as f64 / DAY_S
}

/// For people: days, and hours where there are few.
fn rounded(left: i64) -> String {
    let hours = left.max(0) / HOUR_S;
    if hours < 48 {
        format!("{hours} h")
    } else {
        format!("{} days", hours / 24)
    }
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
    fn what_is_left() {
        assert_eq!(days(86_400 * 14), 14.0);
        assert!(days(-1) < 0.0);
        assert_eq!(rounded(86_400 * 14 + 5), "14 days");
        assert_eq!(rounded(48 * HOUR_S), "2 days");
        assert_eq!(rounded(48 * HOUR_S - 1), "47 h");
        assert_eq!(rounded(-1), "0 h");
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
