//! From a check as written to the probe that is made.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::url::{Scheme, Url};
use super::{Check, CheckError, HttpProbe, Probe, Remote, StatusRange, absolute, dns, tls};
use crate::target::Family;

/// Most words of a command, and most variables.
const MOST_WORDS: usize = 256;

impl Check {
    /// Parse for probing over `family`. Files are not looked at: only the observer has them.
    ///
    /// # Errors
    /// The field at fault and what is allowed.
    pub fn parse(&self, family: Family) -> Result<Probe, CheckError> {
        match self {
            Check::Http { url, host, expect } => {
                let url = Url::http(url)?;
                let at = remote(&url, family)?;
                Ok(Probe::Http(http(&url, at, host.as_deref(), *expect)?))
            }
            Check::Https {
                url,
                host,
                expect,
                tls,
            } => {
                let url = Url::https(url)?;
                let at = remote(&url, family)?;
                let tls = tls::parse(tls.as_ref(), &at)?;
                Ok(Probe::Http(HttpProbe {
                    tls: Some(tls),
                    ..http(&url, at, host.as_deref(), *expect)?
                }))
            }
            Check::Tcp { address } => Ok(Probe::Tcp {
                at: socket(*address, family)?,
            }),
            Check::Tls { address, tls } => Ok(Probe::Tls {
                at: socket(*address, family)?,
                tls: tls::parse(tls.as_ref(), &Remote::Address(*address))?,
            }),
            Check::Grpc { url, service, tls } => grpc(url, service, tls.as_ref(), family),
            Check::Dns {
                address,
                name,
                record_type,
                rcode,
                answer,
            } => {
                dns::domain_name(name)?;
                answer.as_deref().map_or(Ok(()), dns::answer)?;
                Ok(Probe::Dns {
                    at: socket(*address, family)?,
                    name: name.clone(),
                    record_type: *record_type,
                    rcode: *rcode,
                    answer: answer.clone(),
                })
            }
            Check::Icmp { ip } => {
                same_family(*ip, family)?;
                Ok(Probe::Icmp { ip: *ip })
            }
            Check::Program { command, env } => program(command, env),
            Check::Readyz { url, token_file, tls } => {
                let url = Url::https(url)?;
                if !matches!(url.path, None | Some("/" | "/readyz")) {
                    return Err(url.wrong("the path is not /readyz"));
                }
                if let Some(path) = token_file {
                    absolute("tokenFile", path)?;
                }
                let at = remote(&url, family)?;
                Ok(Probe::Http(HttpProbe {
                    tls: Some(tls::parse(tls.as_ref(), &at)?),
                    at,
                    host: url.authority.to_owned(),
                    path: "/readyz".to_owned(),
                    expect: StatusRange::new(200, 200)?,
                    token_file: token_file.as_ref().map(PathBuf::from),
                    readyz: true,
                }))
            }
            Check::Heartbeat { agent, key_file } => {
                absolute("keyFile", key_file)?;
                let fits = (1..=63).contains(&agent.len()) && agent.bytes().all(|b| b.is_ascii_graphic());
                if !fits {
                    return Err(CheckError::Agent { given: agent.clone() });
                }
                Ok(Probe::Heartbeat {
                    agent: agent.clone(),
                    key_file: PathBuf::from(key_file),
                })
            }
        }
    }

    /// What of the observer's machine the check uses: each field with its path. A check that anybody but the observer's
    /// operator writes must have none, or its writer runs programs there and has their files read and sent elsewhere.
    pub fn local_files(&self) -> Vec<(&'static str, &str)> {
        match self {
            Check::Program { command, .. } => {
                vec![("command", command.first().map_or("", String::as_str))]
            }
            Check::Readyz { token_file, tls, .. } => {
                let token = token_file.iter().map(|path| ("tokenFile", path.as_str()));
                token.chain(roots_file(tls.as_ref())).collect()
            }
            Check::Heartbeat { key_file, .. } => vec![("keyFile", key_file)],
            Check::Https { tls, .. } | Check::Tls { tls, .. } | Check::Grpc { tls, .. } => {
                roots_file(tls.as_ref()).into_iter().collect()
            }
            Check::Http { .. } | Check::Tcp { .. } | Check::Dns { .. } | Check::Icmp { .. } => Vec::new(),
        }
    }

    /// The family of the address the check names, if it names one; a host name has none.
    pub fn family(&self) -> Option<Family> {
        let of_url = |url: Result<Url<'_>, CheckError>| match url.and_then(|url| url.remote()) {
            Ok(Remote::Address(address)) => Some(address.ip()),
            Ok(Remote::Name { .. }) | Err(_) => None,
        };
        let ip = match self {
            Check::Tcp { address } | Check::Tls { address, .. } | Check::Dns { address, .. } => {
                Some(address.ip())
            }
            Check::Icmp { ip } => Some(*ip),
            Check::Http { url, .. } => of_url(Url::http(url)),
            Check::Https { url, .. } | Check::Readyz { url, .. } => of_url(Url::https(url)),
            Check::Grpc { url, .. } => of_url(Url::either(url)),
            Check::Program { .. } | Check::Heartbeat { .. } => None,
        };
        ip.map(Family::of)
    }

    /// Whether a 5xx, or a service that does not serve, is hard evidence on a control path and none on a traffic
    /// path.
    #[cfg(feature = "probe")]
    pub(crate) fn minds_path(&self) -> bool {
        matches!(
            self,
            Check::Http { .. } | Check::Https { .. } | Check::Grpc { .. }
        )
    }

    /// Every field in a fixed order, for the target's hash. An order or a text that changes splits a fleet in
    /// upgrade.
    pub(crate) fn each_text(&self, mut text: impl FnMut(&str)) {
        match self {
            Check::Http { url, host, expect } => {
                text("http");
                text(url);
                text(host.as_deref().unwrap_or_default());
                text(&expect.to_string());
            }
            Check::Https {
                url,
                host,
                expect,
                tls,
            } => {
                text("https");
                text(url);
                text(host.as_deref().unwrap_or_default());
                text(&expect.to_string());
                each_tls_text(tls.as_ref(), text);
            }
            Check::Tcp { address } => {
                text("tcp");
                text(&address.to_string());
            }
            Check::Tls { address, tls } => {
                text("tls");
                text(&address.to_string());
                each_tls_text(tls.as_ref(), text);
            }
            Check::Grpc { url, service, tls } => {
                text("grpc");
                text(url);
                text(service);
                each_tls_text(tls.as_ref(), text);
            }
            Check::Dns {
                address,
                name,
                record_type,
                rcode,
                answer,
            } => {
                text("dns");
                text(&address.to_string());
                text(name);
                text(record_type.name());
                text(rcode.name());
                text(answer.as_deref().unwrap_or_default());
            }
            Check::Icmp { ip } => {
                text("icmp");
                text(&ip.to_string());
            }
            Check::Program { command, env } => {
                text("program");
                text(&command.len().to_string());
                command.iter().for_each(|word| text(word));
                for (name, value) in env {
                    text(name);
                    text(value);
                }
            }
            Check::Readyz { url, token_file, tls } => {
                text("readyz");
                text(url);
                text(token_file.as_deref().unwrap_or_default());
                each_tls_text(tls.as_ref(), text);
            }
            Check::Heartbeat { agent, key_file } => {
                text("heartbeat");
                text(agent);
                text(key_file);
            }
        }
    }
}

fn roots_file(options: Option<&tls::TlsOptions>) -> Option<(&'static str, &str)> {
    match &options?.roots {
        tls::Roots::File(path) => Some(("tls.roots.file", path)),
        tls::Roots::Pem(_) => None,
    }
}

fn each_tls_text(options: Option<&tls::TlsOptions>, mut text: impl FnMut(&str)) {
    let Some(tls::TlsOptions {
        roots,
        server_name,
        expiry_warning_days,
    }) = options
    else {
        return;
    };
    let (form, content) = match roots {
        tls::Roots::File(path) => ("file", path),
        tls::Roots::Pem(pem) => ("pem", pem),
    };
    text(form);
    text(content);
    text(server_name.as_deref().unwrap_or_default());
    text(&expiry_warning_days.to_string());
}

fn http(url: &Url<'_>, at: Remote, host: Option<&str>, expect: StatusRange) -> Result<HttpProbe, CheckError> {
    let host = host.unwrap_or(url.authority).to_owned();
    let plain = |b: u8| b.is_ascii_graphic() && b != b'/';
    if host.is_empty() || host.len() > 255 || !host.bytes().all(plain) {
        return Err(CheckError::Host { given: host });
    }
    Ok(HttpProbe {
        at,
        host,
        path: url.path.unwrap_or("/").to_owned(),
        expect,
        tls: None,
        token_file: None,
        readyz: false,
    })
}

fn grpc(
    url: &str,
    service: &str,
    options: Option<&tls::TlsOptions>,
    family: Family,
) -> Result<Probe, CheckError> {
    let url = Url::either(url)?;
    if !matches!(url.path, None | Some("/")) {
        return Err(url.wrong("the path is not sent"));
    }
    if service.len() > 255 || !service.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(CheckError::Service {
            given: service.to_owned(),
        });
    }
    let at = remote(&url, family)?;
    let tls = match (url.scheme, options) {
        (Scheme::Http, None) => None,
        (Scheme::Http, Some(_)) => return Err(CheckError::PlainTls),
        (Scheme::Https, options) => Some(tls::parse(options, &at)?),
    };
    Ok(Probe::Grpc {
        at,
        authority: url.authority.to_owned(),
        service: service.to_owned(),
        tls,
    })
}

fn program(command: &[String], env: &BTreeMap<String, String>) -> Result<Probe, CheckError> {
    let wrong = |problem| CheckError::Command { problem };
    let (program, arguments) = command.split_first().ok_or_else(|| wrong("empty"))?;
    if !program.starts_with('/') {
        return Err(wrong("the program is not an absolute path"));
    }
    if command.len() > MOST_WORDS || env.len() > MOST_WORDS {
        return Err(wrong("more than 256 words or variables"));
    }
    if command
        .iter()
        .any(|word| word.contains('\0') || word.len() > 4_096)
    {
        return Err(wrong("a word with NUL or of more than 4096 bytes"));
    }
    let variable = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    for (name, value) in env {
        let fits = (1..=128).contains(&name.len()) && name.bytes().all(variable);
        if !fits || value.contains('\0') || value.len() > 65_536 {
            return Err(CheckError::Env { given: name.clone() });
        }
    }
    Ok(Probe::Program {
        program: PathBuf::from(program),
        arguments: arguments.to_vec(),
        env: env.clone(),
    })
}

fn remote(url: &Url<'_>, family: Family) -> Result<Remote, CheckError> {
    let at = url.remote()?;
    if let Remote::Address(address) = at {
        socket(address, family)?;
    }
    Ok(at)
}

fn socket(address: SocketAddr, family: Family) -> Result<SocketAddr, CheckError> {
    same_family(address.ip(), family)?;
    if address.port() == 0 {
        return Err(CheckError::Port { address });
    }
    Ok(address)
}

fn same_family(address: IpAddr, family: Family) -> Result<(), CheckError> {
    if Family::of(address) == family {
        Ok(())
    } else {
        Err(CheckError::Family { address, family })
    }
}
