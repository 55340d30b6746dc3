//! How long one's own certificate lasts. TLS looks at dates only when two sides shake hands: a fleet whose certificates have
//! expired goes on as long as its connections stand, and is blind after the first that breaks.

use std::time::Duration;

use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::interval;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::{Identity, TlsError};
use crate::metrics::{OwnCertificates, WhoLabel};

/// Below this many days the log and `--check` say that a certificate is to be renewed.
pub const RENEWAL_WARNING_DAYS: u16 = 30;

const DAY_S: f64 = 86_400.0;
/// How often what is left is reckoned anew.
const LOOK: Duration = Duration::from_secs(60);
/// Looks from one warning to the next: a day's.
const LOOKS_TO_WARN: u32 = 24 * 60;

impl Identity {
    /// When the chain begins to be valid: its latest `notBefore`. `None` where a certificate cannot be read.
    pub fn not_before(&self) -> Option<OffsetDateTime> {
        self.dates().map(|(from, _)| from)
    }

    /// When the chain ends to be valid: its earliest `notAfter`. `None` where a certificate cannot be read.
    pub fn not_after(&self) -> Option<OffsetDateTime> {
        self.dates().map(|(_, until)| until)
    }

    /// Days until it expires, negative since it did.
    pub fn days_left(&self, now: OffsetDateTime) -> Option<f64> {
        Some((self.not_after()? - now).as_seconds_f64() / DAY_S)
    }

    /// What there is to say of one that can be used and is to be renewed, or could be used until a while ago.
    pub fn renewal_warning(&self, now: OffsetDateTime) -> Option<String> {
        let days = self.days_left(now)?;
        let date = date(self.not_after()?);
        if days < 0.0 {
            return Some(format!(
                "the certificate expired at {date}; no new connection is made with it"
            ));
        }
        (days < f64::from(RENEWAL_WARNING_DAYS)).then(|| {
            format!(
                "the certificate expires in {days:.0} days, at {date}; renew it",
                days = days.floor()
            )
        })
    }

    /// # Errors
    /// It is not valid at `now`. What cannot be read is left to TLS to refuse.
    pub(super) fn check_dates(&self, now: OffsetDateTime) -> Result<(), TlsError> {
        match self.dates() {
            Some((from, _)) if now < from => Err(TlsError::NotYetValid { from: date(from) }),
            Some((_, until)) if now > until => Err(TlsError::Expired { at: date(until) }),
            Some(_) | None => Ok(()),
        }
    }

    fn dates(&self) -> Option<(OffsetDateTime, OffsetDateTime)> {
        let each: Vec<_> = self.cert_chain.iter().map(dates).collect::<Option<_>>()?;
        let from = each.iter().map(|(from, _)| *from).max()?;
        let until = each.iter().map(|(_, until)| *until).min()?;
        Some((from, until))
    }
}

fn dates(certificate: &CertificateDer<'_>) -> Option<(OffsetDateTime, OffsetDateTime)> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let validity = parsed.validity();
    Some((
        validity.not_before.to_datetime(),
        validity.not_after.to_datetime(),
    ))
}

fn date(of: OffsetDateTime) -> String {
    let (hour, minute, second) = of.to_hms();
    format!("{} {hour:02}:{minute:02}:{second:02} UTC", of.date())
}

/// Shows what is left of the identity in force, and warns at the start, at each change and once a day.
pub(super) async fn watch(mut identity: watch::Receiver<Identity>, who: String, days_left: OwnCertificates) {
    let label = WhoLabel { who: who.clone() };
    let mut looks = interval(LOOK);
    let mut until_warned = 0;
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            changed = identity.changed() => {
                if changed.is_err() {
                    return;
                }
                until_warned = 0;
            }
        }
        let now = OffsetDateTime::now_utc();
        let (days, warning) = {
            let identity = identity.borrow_and_update();
            (identity.days_left(now), identity.renewal_warning(now))
        };
        match days {
            Some(days) => {
                days_left.get_or_create_owned(&label).set(days);
            }
            None => {
                days_left.remove(&label);
            }
        }
        if let Some(warning) = warning
            && until_warned == 0
        {
            tracing::warn!(%who, "{warning}");
            until_warned = LOOKS_TO_WARN;
        }
        until_warned = until_warned.saturating_sub(1);
    }
}
