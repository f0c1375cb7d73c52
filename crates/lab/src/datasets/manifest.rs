//! Manifests: the text of `datasets/*.toml` as checked data. The schema is documented in
//! `datasets/README.md`.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use super::entry::{DOWNLOADS, Entry, Origin, Set};
use super::names::{Packed, is_plain_name, last_part, packed_kind};
use nvc::error::{Error, Result};
use nvc::frame::{PixelFormat, Ratio};
use nvc_media::MAX_SIDE;

/// The only schema there is.
const SCHEMA: u32 = 1;
/// Largest number of pictures in a sequence.
const MAX_FRAMES: u64 = 10_000_000;

/// The keys of an entry, and of `[defaults]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    name: Option<String>,
    width: Option<usize>,
    height: Option<usize>,
    frames: Option<u64>,
    frames_exact: Option<bool>,
    pix_fmt: Option<String>,
    fps: Option<Rate>,
    licence: Option<String>,
    page: Option<String>,
    note: Option<String>,
    file: Option<String>,
    url: Option<String>,
    pypi: Option<Package>,
    member: Option<String>,
    store_as: Option<String>,
    sha256: Option<String>,
    download_sha256: Option<String>,
    download_md5: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Package {
    package: String,
    version: String,
    member: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    schema: u32,
    name: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    page: String,
    #[serde(default)]
    licence: String,
    #[serde(default)]
    obtain: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    defaults: Keys,
    #[serde(default)]
    entry: Vec<Keys>,
}

#[derive(Clone, Copy, Debug)]
struct Rate(Ratio);

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = Rate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("frames a second, as 25, 29.97 or \"30000/1001\"")
            }

            fn visit_i64<E: de::Error>(self, v: i64) -> std::result::Result<Rate, E> {
                self.visit_str(&v.to_string())
            }

            fn visit_f64<E: de::Error>(self, v: f64) -> std::result::Result<Rate, E> {
                self.visit_str(&v.to_string())
            }

            fn visit_str<E: de::Error>(self, v: &str) -> std::result::Result<Rate, E> {
                v.parse()
                    .map(Rate)
                    .map_err(|_| E::invalid_value(de::Unexpected::Str(v), &self))
            }
        }
        d.deserialize_any(V)
    }
}

/// Reads a manifest. `file` is its name for messages, `folder` where relative paths of its entries
/// start.
pub fn parse(text: &str, file: &str, folder: &Path) -> Result<Set> {
    let wrong = |what: String| Error::Parameter(format!("{file}: {what}"));
    let m: Manifest =
        toml::from_str(text).map_err(|e| wrong(e.to_string().trim_end().to_string()))?;
    if m.schema != SCHEMA {
        return Err(wrong(format!(
            "key 'schema' is {} (this version reads {SCHEMA})",
            m.schema
        )));
    }
    if !is_plain_name(&m.name) || m.name == DOWNLOADS {
        return Err(wrong(format!(
            "key 'name' is '{}' (letters, digits and . _ - +, and not '{}')",
            m.name, DOWNLOADS
        )));
    }
    let d = &m.defaults;
    for (key, set) in [
        ("name", d.name.is_some()),
        ("store_as", d.store_as.is_some()),
        ("sha256", d.sha256.is_some()),
    ] {
        if set {
            return Err(wrong(format!(
                "key 'defaults.{key}': every entry has its own"
            )));
        }
    }
    let mut set = Set {
        name: m.name.clone(),
        title: m.title.clone(),
        page: m.page.clone(),
        obtain: m.obtain.trim().into(),
        note: m.note.trim().into(),
        manifest: file.into(),
        entries: Vec::with_capacity(m.entry.len()),
    };
    let (mut names, mut files) = (HashSet::new(), HashSet::new());
    for (i, keys) in m.entry.iter().enumerate() {
        let name = keys.name.as_deref().unwrap_or_default();
        let wrong = |what: String| {
            let at = if name.is_empty() {
                format!("entry {}", i + 1)
            } else {
                format!("entry '{name}'")
            };
            wrong(format!("{at}: {what}"))
        };
        if !is_plain_name(name) {
            return Err(wrong(
                "key 'name' is missing or has other characters than letters, digits and . _ - +"
                    .into(),
            ));
        }
        let entry = checked(keys, &m, folder).map_err(wrong)?;
        if !names.insert(entry.name.to_lowercase()) {
            return Err(wrong(
                "key 'name': there is another entry of this name (case does not count)".into(),
            ));
        }
        if !files.insert(entry.file_name.to_lowercase()) {
            return Err(wrong(format!(
                "key 'store_as': there is another entry of the file name '{}'",
                entry.file_name
            )));
        }
        set.entries.push(entry);
    }
    if set.entries.is_empty() {
        return Err(wrong("has no [[entry]]".into()));
    }
    Ok(set)
}

fn checked(keys: &Keys, m: &Manifest, folder: &Path) -> std::result::Result<Entry, String> {
    let d = &m.defaults;
    let own = [keys.file.is_some(), keys.url.is_some(), keys.pypi.is_some()];
    // an entry's own source replaces the defaults' one, of whatever kind
    let from = if own.contains(&true) { keys } else { d };
    let member = keys
        .member
        .clone()
        .or(from.pypi.as_ref().and_then(|p| p.member.clone()))
        .or_else(|| d.member.clone());
    let origin = origin(from, folder)?;
    let packed = match &origin {
        Origin::File(path) => packed_kind(&path.to_string_lossy()),
        Origin::Url(url) => packed_kind(last_part(url)),
        Origin::Pypi { .. } => Packed::Zip,
        Origin::ByHand => Packed::Plain,
    };
    if packed.has_members() && member.is_none() {
        return Err("key 'member' is missing: the name of the file in the archive".into());
    }
    if !packed.has_members() && member.is_some() {
        return Err("key 'member': the source is no archive (known: .7z .zip .whl .tar .tar.gz .tgz .tar.xz .txz)".into());
    }
    let file_name = match (&keys.store_as, &member, &origin) {
        (Some(name), _, _) => name.clone(),
        (None, Some(member), _) => last_part(member).to_string(),
        (None, None, Origin::File(path)) => {
            packed.inner_name(&path.file_name().unwrap_or_default().to_string_lossy())
        }
        (None, None, Origin::Url(url)) => packed.inner_name(last_part(url)),
        (None, None, _) => {
            return Err("key 'store_as' is missing: the name of the file in the store".into());
        }
    };
    if !is_plain_name(&file_name)
        || [".part", ".sha256", ".json"]
            .iter()
            .any(|e| file_name.ends_with(e))
    {
        return Err(format!(
            "key 'store_as' is '{file_name}' (a file name of letters, digits and . _ - +, not .part, .sha256 or .json)"
        ));
    }
    let format = match keys.pix_fmt.as_ref().or(d.pix_fmt.as_ref()) {
        Some(name) => {
            Some(PixelFormat::from_name(name).map_err(|e| format!("key 'pix_fmt': {e}"))?)
        }
        None => None,
    };
    let text = |own: &Option<String>, default: &Option<String>, set: &str| {
        own.as_ref()
            .or(default.as_ref())
            .map_or(set, String::as_str)
            .trim()
            .to_string()
    };
    let entry = Entry {
        set: m.name.clone(),
        name: keys.name.clone().unwrap_or_default(),
        width: keys.width.or(d.width),
        height: keys.height.or(d.height),
        frames: keys.frames.or(d.frames),
        frames_exact: keys.frames_exact.or(d.frames_exact).unwrap_or(true),
        format,
        fps: keys.fps.or(d.fps).map(|r| r.0),
        licence: text(&keys.licence, &d.licence, &m.licence),
        page: text(&keys.page, &d.page, &m.page),
        note: text(&keys.note, &d.note, ""),
        origin,
        member,
        file_name,
        sha256: digest("sha256", &keys.sha256, 64)?,
        download_sha256: digest(
            "download_sha256",
            keys_or(&keys.download_sha256, &d.download_sha256),
            64,
        )?,
        download_md5: digest(
            "download_md5",
            keys_or(&keys.download_md5, &d.download_md5),
            32,
        )?,
    };
    for (key, side) in [("width", entry.width), ("height", entry.height)] {
        if side.is_some_and(|s| s == 0 || s > MAX_SIDE) {
            return Err(format!(
                "key '{key}' is {} (allowed 1..={MAX_SIDE})",
                side.unwrap_or(0)
            ));
        }
    }
    if entry.frames.is_some_and(|n| n == 0 || n > MAX_FRAMES) {
        return Err(format!(
            "key 'frames' is {} (allowed 1..={MAX_FRAMES})",
            entry.frames.unwrap_or(0)
        ));
    }
    if entry.is_raw() {
        let there = [
            entry.width.is_some(),
            entry.height.is_some(),
            entry.frames.is_some(),
            format.is_some(),
            entry.fps.is_some(),
        ];
        for (key, there) in ["width", "height", "frames", "pix_fmt", "fps"]
            .iter()
            .zip(there)
        {
            if !there {
                return Err(format!(
                    "key '{key}' is missing: raw video does not say it ({})",
                    entry.file_name
                ));
            }
        }
    }
    Ok(entry)
}

fn keys_or<'a>(own: &'a Option<String>, default: &'a Option<String>) -> &'a Option<String> {
    if own.is_some() { own } else { default }
}

fn origin(keys: &Keys, folder: &Path) -> std::result::Result<Origin, String> {
    match (&keys.file, &keys.url, &keys.pypi) {
        (None, None, None) => Ok(Origin::ByHand),
        (Some(file), None, None) if !file.is_empty() => Ok(Origin::File(folder.join(file))),
        (None, Some(url), None) => {
            let rest = url
                .strip_prefix("https://")
                .or_else(|| url.strip_prefix("http://"));
            let sound = rest.is_some_and(|r| r.find('/').is_some_and(|i| i > 0 && i + 1 < r.len()));
            if !sound || url.bytes().any(|b| b <= b' ' || b == 0x7f) {
                return Err(format!(
                    "key 'url' is '{url}' (http://HOST/FILE or https://HOST/FILE)"
                ));
            }
            Ok(Origin::Url(url.clone()))
        }
        (None, None, Some(p)) => {
            for (key, value) in [("package", &p.package), ("version", &p.version)] {
                // these become arguments of pip
                if !is_plain_name(value) {
                    return Err(format!(
                        "key 'pypi.{key}' is '{value}' (letters, digits and . _ - +)"
                    ));
                }
            }
            Ok(Origin::Pypi {
                package: p.package.clone(),
                version: p.version.clone(),
            })
        }
        (Some(_), None, None) => Err("key 'file' is empty".into()),
        _ => Err("keys 'file', 'url' and 'pypi': only one of them".into()),
    }
}

fn digest(
    key: &str,
    value: &Option<String>,
    digits: usize,
) -> std::result::Result<Option<String>, String> {
    let Some(v) = value else { return Ok(None) };
    if v.len() != digits || !v.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(format!(
            "key '{key}' is '{v}' ({digits} hexadecimal digits)"
        ));
    }
    Ok(Some(v.to_lowercase()))
}

#[cfg(test)]
mod tests;
