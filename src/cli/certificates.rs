//! `lifeboat certificates`: who may send evidence, and who may hear it.

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Args;
use lifeboat_health::{Authority, CONSUMER_NAME, Role};
use time::OffsetDateTime;

use super::output;

const AUTHORITY: &str = "authority";

#[derive(Args)]
#[command(
    after_help = "In the folder, authority.pem and authority.key are the fleet's certificate authority, made where they \
    are missing; NAME.pem and NAME.key are for each name. Every process gets its own pair and authority.pem as \
    its roots; authority.key stays where you keep secrets."
)]
pub(super) struct Certificates {
    /// Who may send evidence, e.g. `observer-paris observer-milan`.
    #[arg(long, value_name = "NAME", num_args = 1.., required_unless_present = "consumers")]
    observers: Vec<String>,
    /// Who may hear it: DNS servers and controllers, e.g. `dns-1 dns-2 controller`.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    consumers: Vec<String>,
    /// The folder of the authority and of what it issues.
    #[arg(long, default_value = ".", value_name = "DIR")]
    out: PathBuf,
    /// How many days the certificates of the names are valid.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: u32,
    /// Issue anew what is there already. Processes that watch their files take the new pair without a gap.
    #[arg(long)]
    renew: bool,
}

impl Certificates {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self {
            observers,
            consumers,
            out,
            days,
            renew,
        } = self;
        if let Some(both) = observers.iter().find(|name| consumers.contains(name)) {
            anyhow::bail!(
                "NAME {both:?}: --observers and --consumers have it both; allowed is one role a name, and two names for who has both"
            );
        }
        let now = OffsetDateTime::now_utc();
        fs::create_dir_all(&out).with_context(|| format!("--out: creating {}", out.display()))?;
        let authority = authority(&out, now)?;
        let observers = observers.iter().map(|name| (name, Role::Observer));
        let consumers = consumers.iter().map(|name| (name, Role::Consumer));
        for (name, role) in observers.chain(consumers) {
            anyhow::ensure!(
                is_dns_name(name) && ![AUTHORITY, CONSUMER_NAME].contains(&name.as_str()),
                "NAME {name:?}: allowed are DNS names (letters, digits, - and . between them) other than {AUTHORITY:?} and {CONSUMER_NAME:?}"
            );
            let issued = authority.issue(name, role, now, days)?;
            let (key, certificate) = (out.join(format!("{name}.key")), out.join(format!("{name}.pem")));
            if renew {
                replace(&key, &issued.key_pem, true)?;
                replace(&certificate, &issued.certificate_pem, false)?;
            } else {
                write(&key, &issued.key_pem, true)?;
                write(&certificate, &issued.certificate_pem, false)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The one in the folder, or a new one where there is none.
fn authority(folder: &Path, now: OffsetDateTime) -> anyhow::Result<Authority> {
    let place = |suffix: &str| folder.join(format!("{AUTHORITY}.{suffix}"));
    let (certificate, key) = (place("pem"), place("key"));
    if !certificate.exists() && !key.exists() {
        let authority = Authority::create(now)?;
        write(&key, authority.key_pem(), true)?;
        write(&certificate, authority.certificate_pem(), false)?;
        return Ok(authority);
    }
    let read = |path: &Path| {
        fs::read_to_string(path).with_context(|| {
            format!(
                "reading {}; the authority is the pair {AUTHORITY}.pem and {AUTHORITY}.key",
                path.display()
            )
        })
    };
    Authority::from_pem(&read(&certificate)?, &read(&key)?)
        .with_context(|| format!("{} and {}", certificate.display(), key.display()))
}

/// RFC 1123 §2.1, of at most 63 octets, since it is a common name too.
fn is_dns_name(name: &str) -> bool {
    let label = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.chars().all(inner)
    };
    name.len() <= 63 && name.split('.').all(label)
}

/// In the place of what is there, at once: a reader sees the one or the other.
fn replace(path: &Path, text: &str, secret: bool) -> anyhow::Result<()> {
    let mut next = path.as_os_str().to_owned();
    next.push(".new");
    let next = PathBuf::from(next);
    create(&next, text, secret)?;
    fs::rename(&next, path).with_context(|| format!("replacing {}", path.display()))?;
    output::line(path.display().to_string());
    Ok(())
}

/// Never over a file that is there: what was issued may be in use.
fn write(path: &Path, text: &str, secret: bool) -> anyhow::Result<()> {
    anyhow::ensure!(
        !path.exists(),
        "{} exists; --renew issues it anew",
        path.display()
    );
    create(path, text, secret)?;
    output::line(path.display().to_string());
    Ok(())
}

fn create(path: &Path, text: &str, secret: bool) -> anyhow::Result<()> {
    let mode = if secret { 0o600 } else { 0o644 };
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .with_context(|| format!("creating {}", path.display()))?;
    file.write_all(text.as_bytes())
        .with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use lifeboat_health::{Identity, Observer, Profile};

    use super::*;

    #[test]
    fn an_authority_that_is_no_pair_is_told_with_both_files() {
        let folder = tempfile::tempdir().unwrap();
        let now = OffsetDateTime::now_utc();
        authority(folder.path(), now).unwrap();
        let other = Authority::create(now).unwrap();
        fs::write(folder.path().join("authority.key"), other.key_pem()).unwrap();
        let told = format!("{:#}", authority(folder.path(), now).err().unwrap());
        for part in ["authority.pem", "authority.key", "do not belong together"] {
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn what_is_issued_twice_descends_from_one_authority() {
        let folder = tempfile::tempdir().unwrap();
        let go = |names: &[&str], renew| {
            let of = |observes: bool| {
                let names = names.iter().filter(|name| name.contains("observer") == observes);
                names.map(|name| (*name).to_owned()).collect()
            };
            let out = folder.path().to_owned();
            let days = 30;
            Certificates {
                observers: of(true),
                consumers: of(false),
                out,
                days,
                renew,
            }
            .run()
        };
        let issue = |names: &[&str]| go(names, false);
        issue(&["dns-1"]).unwrap();
        issue(&["observer-1"]).unwrap();
        let read = |file: &str| fs::read(folder.path().join(file)).unwrap();
        let roots = read("authority.pem");
        for name in ["dns-1", "observer-1"] {
            let (certificate, key) = (read(&format!("{name}.pem")), read(&format!("{name}.key")));
            let identity = Identity::from_pem(&certificate, &key, &roots).unwrap();
            assert_eq!(identity.cert_chain.len(), 1);
            let observes = Observer::check_identity(name, &identity, &Profile::fast()).is_ok();
            assert_eq!(observes, name == "observer-1");
        }
        let again = format!("{:#}", issue(&["dns-1"]).unwrap_err());
        assert!(again.contains("dns-1.key") && again.contains("exists"), "{again}");
        let before = read("dns-1.pem");
        go(&["dns-1"], true).unwrap();
        assert_ne!(read("dns-1.pem"), before);
        let (certificate, key) = (read("dns-1.pem"), read("dns-1.key"));
        Identity::from_pem(&certificate, &key, &roots).unwrap();
        for wrong in ["bad name", "lifeboat-evidence", "authority", "-a", "a..b", ""] {
            let refused = format!("{:#}", issue(&[wrong]).unwrap_err());
            assert!(refused.contains("allowed are DNS names"), "{refused}");
        }
        let slash = format!("{:#}", issue(&["../dns-3"]).unwrap_err());
        assert!(slash.contains("allowed"), "{slash}");
    }
}
