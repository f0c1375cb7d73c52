//! HTTP downloads that go on where they broke off.

use std::fs::{self, File};
use std::io::{Error as IoError, ErrorKind, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ureq::http::{HeaderMap, Response, StatusCode, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use super::event::FetchEvent;
use crate::files::{beside, rename};
use nvc::error::{Error, Result};

/// Tries in a row that bring no byte until we give up, if a try has brought some before; and if
/// none has.
const TRIES: u32 = 5;
const FIRST_TRIES: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Longest silence of a server.
const SILENCE: Duration = Duration::from_secs(60);
const EVENT_EVERY: Duration = Duration::from_millis(200);

/// The host of an address, with its port.
pub fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, r)| r);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority.rsplit('@').next().unwrap_or(authority)
}

/// An address without the password that may stand in it.
pub fn shown(url: &str) -> String {
    match (url.split_once("://"), url.find('@')) {
        (Some((scheme, rest)), Some(_))
            if rest.split('/').next().is_some_and(|a| a.contains('@')) =>
        {
            format!(
                "{scheme}://{}",
                rest.split_once('@').map_or(rest, |(_, r)| r)
            )
        }
        _ => url.to_string(),
    }
}

enum Failure {
    /// Worth another try; whether bytes came before.
    Passing(String, bool),
    /// Not worth one.
    Final(String),
    /// This machine cannot write.
    Ours(Error),
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        Failure::Ours(e)
    }
}

/// What is kept beside a part, so that a later run knows whether the server still has the same
/// bytes.
struct Kept {
    /// An entity tag, or a date of modification.
    validator: String,
}

/// Fetches `url` to `path`, by way of `path.part`, which is kept when the download breaks off for
/// good. `by_hand` is the last sentence of the error when the host cannot be reached.
pub fn download(
    url: &str,
    path: &Path,
    by_hand: &str,
    on: &mut dyn FnMut(FetchEvent),
) -> Result<()> {
    let context = || format!("fetching {}", shown(url));
    let agent = agent()?;
    let part = beside(path, ".part");
    let (mut failures, mut wait, mut tries) = (0, FIRST_WAIT, FIRST_TRIES);
    loop {
        let (why, again) = match attempt(&agent, url, &part, on) {
            Ok(()) => break,
            Err(Failure::Ours(e)) => return Err(e),
            Err(Failure::Final(why)) => (why, false),
            Err(Failure::Passing(why, progress)) => {
                if progress {
                    (failures, wait, tries) = (0, FIRST_WAIT, TRIES);
                }
                failures += 1;
                (why, failures < tries)
            }
        };
        if !again {
            return Err(Error::io(
                context(),
                IoError::other(format!("{why}. {by_hand}")),
            ));
        }
        on(FetchEvent::Retrying { why, wait });
        std::thread::sleep(wait);
        wait *= 2;
    }
    rename(&part, path)?;
    let _ = fs::remove_file(kept_path(&part));
    Ok(())
}

/// An agent with proxies from the environment, and certificates from `SSL_CERT_FILE` if that is
/// set.
fn agent() -> Result<Agent> {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("nvc/", env!("CARGO_PKG_VERSION")))
        // a coded body would have other ranges than the file
        .accept_encoding("identity")
        .timeout_resolve(Some(Duration::from_secs(20)))
        .timeout_connect(Some(Duration::from_secs(30)))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE));
    if let Some(file) = std::env::var_os("SSL_CERT_FILE").filter(|f| !f.is_empty()) {
        let name = Path::new(&file).display().to_string();
        let pem =
            fs::read(&file).map_err(|e| Error::io(format!("reading SSL_CERT_FILE {name}"), e))?;
        let certificates = parse_pem(&pem).filter_map(|item| match item {
            Ok(PemItem::Certificate(c)) => Some(c),
            _ => None,
        });
        let certificates: Vec<_> = certificates.collect();
        if certificates.is_empty() {
            return Err(Error::Parameter(format!(
                "SSL_CERT_FILE {name} holds no certificate"
            )));
        }
        config = config.tls_config(
            TlsConfig::builder()
                .root_certs(RootCerts::new_with_certs(&certificates))
                .build(),
        );
    }
    Ok(config.build().new_agent())
}

fn kept_path(part: &Path) -> std::path::PathBuf {
    beside(part, ".json")
}

fn load_kept(part: &Path, url: &str) -> Option<Kept> {
    let text = fs::read_to_string(kept_path(part)).ok()?;
    let v: Value = serde_json::from_str(&text).ok()?;
    (v["url"] == url).then_some(())?;
    Some(Kept {
        validator: v["validator"].as_str()?.to_string(),
    })
}

/// One request, and its body as far as it comes.
fn attempt(
    agent: &Agent,
    url: &str,
    part: &Path,
    on: &mut dyn FnMut(FetchEvent),
) -> std::result::Result<(), Failure> {
    let writing = |e| Error::io(format!("writing {}", part.display()), e);
    let have = fs::metadata(part).map_or(0, |m| m.len());
    let kept = if have > 0 { load_kept(part, url) } else { None };
    let mut request = agent.get(url);
    if let Some(kept) = &kept {
        request = request
            .header(header::RANGE, format!("bytes={have}-"))
            .header(header::IF_RANGE, &kept.validator);
    }
    let response = request.call().map_err(|e| sorted(&e, host(url)))?;
    let (start, total) = match response.status() {
        StatusCode::OK => (0, length(response.headers())),
        StatusCode::PARTIAL_CONTENT if kept.is_some() => match content_range(response.headers()) {
            Some((start, total)) if start == have => (start, total),
            _ => {
                forget(part)?;
                return Err(Failure::Passing(
                    format!("the server sent another part than bytes {have} and on"),
                    false,
                ));
            }
        },
        StatusCode::RANGE_NOT_SATISFIABLE if kept.is_some() => {
            // all of it is there already, or the file has become shorter
            if unsatisfied_total(response.headers()) == Some(have) {
                return Ok(());
            }
            forget(part)?;
            return Err(Failure::Passing(
                format!("the server has no byte {have}, where the part ends"),
                false,
            ));
        }
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            return Err(Failure::Passing(
                format!("{} says {status}", host(url)),
                false,
            ));
        }
        status => return Err(Failure::Final(format!("{} says {status}", host(url)))),
    };
    let file = if start > 0 {
        on(FetchEvent::Resuming { bytes: start });
        File::options().append(true).open(part)
    } else {
        if have > 0 {
            on(FetchEvent::Restarting { bytes: have });
        }
        // without a validator a part is of no use to a later try
        let _ = fs::remove_file(kept_path(part));
        let file = File::create(part);
        if let (Ok(_), Some(validator)) = (&file, validator(response.headers())) {
            let text = json!({ "url": url, "validator": validator }).to_string();
            fs::write(kept_path(part), text).map_err(writing)?;
        }
        file
    };
    copy(
        response,
        file.map_err(writing)?,
        start,
        total,
        &writing,
        url,
        on,
    )
}

fn copy(
    response: Response<Body>,
    mut file: File,
    start: u64,
    total: Option<u64>,
    writing: &dyn Fn(IoError) -> Error,
    url: &str,
    on: &mut dyn FnMut(FetchEvent),
) -> std::result::Result<(), Failure> {
    let mut reader = response.into_body().into_reader();
    let mut buffer = vec![0; 1 << 17];
    let (mut done, mut last) = (start, Instant::now());
    let mut tell = |done| {
        on(FetchEvent::Downloading {
            host: host(url).to_string(),
            bytes: done,
            total,
        })
    };
    tell(done);
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                file.write_all(&buffer[..n]).map_err(writing)?;
                done += n as u64;
                if last.elapsed() >= EVENT_EVERY {
                    last = Instant::now();
                    tell(done);
                }
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => {
                return Err(Failure::Passing(
                    format!("the connection broke after {done} bytes ({e})"),
                    done > start,
                ));
            }
        }
    }
    match total {
        Some(total) if done < total => Err(Failure::Passing(
            format!("the connection closed after {done} of {total} bytes"),
            done > start,
        )),
        _ => {
            tell(done);
            file.sync_all().map_err(|e| writing(e).into())
        }
    }
}

/// Removes a part that cannot be continued.
fn forget(part: &Path) -> Result<()> {
    let _ = fs::remove_file(kept_path(part));
    fs::remove_file(part).map_err(|e| Error::io(format!("removing {}", part.display()), e))
}

fn sorted(e: &ureq::Error, host: &str) -> Failure {
    let why = match e {
        ureq::Error::HostNotFound => {
            format!("no connection to {host}: there is no such host, or no network")
        }
        ureq::Error::Io(e) => format!("no connection to {host}: {e}"),
        e => format!("no connection to {host}: {e}"),
    };
    match e {
        ureq::Error::Io(_)
        | ureq::Error::Timeout(_)
        | ureq::Error::Protocol(_)
        | ureq::Error::ConnectionFailed => Failure::Passing(why, false),
        _ => Failure::Final(why),
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn length(headers: &HeaderMap) -> Option<u64> {
    text(headers, header::CONTENT_LENGTH)?.trim().parse().ok()
}

/// First byte and whole length of `Content-Range: bytes A-B/TOTAL`.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let (range, total) = text(headers, header::CONTENT_RANGE)?
        .trim()
        .strip_prefix("bytes ")?
        .split_once('/')?;
    Some((
        range.split_once('-')?.0.trim().parse().ok()?,
        total.trim().parse().ok(),
    ))
}

/// Whole length of `Content-Range: bytes */TOTAL`.
fn unsatisfied_total(headers: &HeaderMap) -> Option<u64> {
    text(headers, header::CONTENT_RANGE)?
        .trim()
        .strip_prefix("bytes */")?
        .parse()
        .ok()
}

/// A strong entity tag, or else the date of modification. Weak tags do not promise equal bytes.
fn validator(headers: &HeaderMap) -> Option<&str> {
    text(headers, header::ETAG)
        .filter(|t| t.starts_with('"'))
        .or_else(|| text(headers, header::LAST_MODIFIED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        assert_eq!(host("https://ultravideo.fi/video/a.7z"), "ultravideo.fi");
        assert_eq!(host("http://user:secret@127.0.0.1:80/a"), "127.0.0.1:80");
        assert_eq!(
            shown("http://user:secret@127.0.0.1:80/a@b"),
            "http://127.0.0.1:80/a@b"
        );
        assert_eq!(shown("http://127.0.0.1:80/a@b"), "http://127.0.0.1:80/a@b");
    }

    #[test]
    fn ranges_and_validators() {
        let mut h = HeaderMap::new();
        h.insert(header::CONTENT_RANGE, "bytes 5-9/10".parse().unwrap());
        h.insert(header::ETAG, "W/\"a\"".parse().unwrap());
        assert_eq!(content_range(&h), Some((5, Some(10))));
        assert_eq!((unsatisfied_total(&h), validator(&h)), (None, None));
        h.insert(
            header::LAST_MODIFIED,
            "Mon, 01 Jan 2024 00:00:00 GMT".parse().unwrap(),
        );
        assert_eq!(validator(&h), Some("Mon, 01 Jan 2024 00:00:00 GMT"));
        h.insert(header::ETAG, "\"b\"".parse().unwrap());
        assert_eq!(validator(&h), Some("\"b\""));
        h.insert(header::CONTENT_RANGE, "bytes */10".parse().unwrap());
        assert_eq!((content_range(&h), unsatisfied_total(&h)), (None, Some(10)));
    }
}
