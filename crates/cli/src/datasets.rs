//! `nvc datasets`: test sequences by name.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::args::{DatasetsArgs, DatasetsCommand, StoreArgs};
use super::say::{print_line, say};
use nvc::error::{Error, Result};
use nvc_lab::datasets::{Entry, FetchEvent, Known, Origin, Store};

/// Time between lines of progress where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Runs the subcommand.
pub fn run(a: &DatasetsArgs) -> Result<()> {
    match &a.command {
        DatasetsCommand::List { set, json, store } => list(&open(store)?, set.as_deref(), *json),
        DatasetsCommand::Fetch {
            names,
            quiet,
            store,
        } => fetch(&open(store)?, names, *quiet),
        DatasetsCommand::Verify { names, store } => verify(&open(store)?, names),
        DatasetsCommand::Path { name, store } => path(&open(store)?, name),
    }
}

/// Fetches what of some names is not there yet.
pub fn fetch_missing(store: &Store, names: &[String], quiet: bool) -> Result<()> {
    let missing: Vec<&Entry> = expand(store, names)?
        .into_iter()
        .filter(|e| store.path(e).is_err())
        .collect();
    each(&missing, |entry| fetch_entry(store, entry, quiet).map(drop))
}

/// The store that arguments mean.
pub fn open(a: &StoreArgs) -> Result<Store> {
    Store::open(a.root.as_deref(), &a.manifest)
}

/// Does something for each entry of some names, and goes on after a failure; the first failure is
/// returned at the end.
fn each(entries: &[&Entry], mut f: impl FnMut(&Entry) -> Result<()>) -> Result<()> {
    let mut failed: Option<Error> = None;
    for (i, entry) in entries.iter().enumerate() {
        if let Err(e) = f(entry) {
            if e.is_broken_pipe() {
                return Err(e);
            }
            match &failed {
                Some(_) => say(&format!("error: {e}")),
                // alone, it is said when we end
                None if i + 1 == entries.len() => failed = Some(e),
                None => {
                    say(&format!("error: {e}"));
                    failed = Some(e);
                }
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

fn expand<'a>(store: &'a Store, names: &[String]) -> Result<Vec<&'a Entry>> {
    let mut entries: Vec<&Entry> = Vec::new();
    for name in names {
        for e in store.expand(name)? {
            if !entries.iter().any(|o| std::ptr::eq(*o, e)) {
                entries.push(e);
            }
        }
    }
    Ok(entries)
}

fn list(store: &Store, set: Option<&str>, as_json: bool) -> Result<()> {
    let sets: Vec<_> = match set {
        // a mistyped name gets the hint of a sequence's
        Some(name) => match store.set(name) {
            Some(s) => vec![s],
            None => {
                let e = store.find(name)?;
                return Err(Error::Parameter(format!(
                    "'{name}' is a sequence of the set '{}'",
                    e.set
                )));
            }
        },
        None => store.sets().iter().collect(),
    };
    if as_json {
        let sets: Vec<Value> = sets
            .iter()
            .map(|s| {
                let entries: Vec<Value> = s.entries.iter().map(|e| entry_json(store, e)).collect();
                json!({
                    "name": s.name, "title": s.title, "page": s.page, "obtain": s.obtain, "note": s.note, "manifest": s.manifest,
                    "entries": entries,
                })
            })
            .collect();
        return print_line(
            &json!({ "root": store.root().display().to_string(), "sets": sets }).to_string(),
        );
    }
    if set.is_none() {
        let present = store.present();
        for s in sets {
            let there = present.get(s.name.as_str()).copied().unwrap_or(0);
            print_line(&format!(
                "{:<10} {:>3} of {:<3} {}",
                s.name,
                there,
                s.entries.len(),
                s.title
            ))?;
        }
        say(&format!(
            "files are in {}; nvc datasets list SET shows the sequences",
            store.root().display()
        ));
        return Ok(());
    }
    for s in sets {
        let wide = s.entries.iter().map(|e| e.id().len()).max().unwrap_or(0);
        for e in &s.entries {
            let there = if store.path(e).is_ok() {
                "there"
            } else {
                source_word(e)
            };
            print_line(
                format!(
                    "{:<wide$}  {:<5}  {}{}",
                    e.id(),
                    there,
                    e.geometry(),
                    rate(e)
                )
                .trim_end(),
            )?;
        }
        say(&format!(
            "{}\npage: {}\nlicence: {}",
            s.title,
            s.page,
            s.entries.first().map_or("", |e| e.licence.as_str())
        ));
        for text in [&s.obtain, &s.note] {
            if !text.is_empty() {
                say(text);
            }
        }
    }
    Ok(())
}

fn rate(e: &Entry) -> String {
    match e.fps {
        Some(r) if r.den == 1 => format!(" {} fps", r.num),
        Some(r) => format!(" {}/{} fps", r.num, r.den),
        None => String::new(),
    }
}

/// Where an entry that is not there comes from.
fn source_word(e: &Entry) -> &'static str {
    match e.origin {
        Origin::File(_) => "file",
        Origin::Url(_) => "http",
        Origin::Pypi { .. } => "pypi",
        Origin::ByHand => "hand",
    }
}

fn entry_json(store: &Store, e: &Entry) -> Value {
    let source = match &e.origin {
        Origin::File(path) => json!({ "file": path.display().to_string(), "member": e.member }),
        Origin::Url(url) => json!({ "url": url, "member": e.member }),
        Origin::Pypi { package, version } => {
            json!({ "pypi": { "package": package, "version": version }, "member": e.member })
        }
        Origin::ByHand => Value::Null,
    };
    json!({
        "id": e.id(), "name": e.name, "width": e.width, "height": e.height, "frames": e.frames, "frames_exact": e.frames_exact,
        "pix_fmt": e.format.map(|f| f.name()), "fps": e.fps.map(|r| [r.num, r.den]), "raw_bytes": e.raw_bytes(),
        "licence": e.licence, "page": e.page, "note": e.note, "source": source, "sha256": e.sha256,
        "path": store.place(e).display().to_string(), "present": store.path(e).is_ok(),
    })
}

/// Progress on stderr: one line rewritten on a terminal, now and then a line elsewhere.
struct Progress {
    id: String,
    quiet: bool,
    terminal: bool,
    last: Option<Instant>,
    open_line: bool,
}

impl Progress {
    fn show(&mut self, event: &FetchEvent) {
        if self.quiet {
            return;
        }
        let line = format!("{}: {event}", self.id);
        let passing = matches!(
            event,
            FetchEvent::Downloading { .. } | FetchEvent::Unpacking { .. }
        );
        if passing && self.terminal {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K{line}");
            self.open_line = true;
            return;
        }
        if passing && self.last.is_some_and(|t| t.elapsed() < LINE_EVERY) {
            return;
        }
        if passing {
            self.last = Some(Instant::now());
        }
        self.end();
        say(&line);
    }

    /// Ends a line that was to be rewritten.
    fn end(&mut self) {
        if std::mem::take(&mut self.open_line) {
            say("");
        }
    }
}

fn fetch(store: &Store, names: &[String], quiet: bool) -> Result<()> {
    each(&expand(store, names)?, |entry| {
        print_line(&fetch_entry(store, entry, quiet)?.display().to_string())
    })
}

fn fetch_entry(store: &Store, entry: &Entry, quiet: bool) -> Result<PathBuf> {
    let terminal = std::io::stderr().is_terminal();
    let mut progress = Progress {
        id: entry.id(),
        quiet,
        terminal,
        last: None,
        open_line: false,
    };
    let fetched = store.fetch(entry, &mut |event| progress.show(&event));
    progress.end();
    fetched
}

fn verify(store: &Store, names: &[String]) -> Result<()> {
    let entries = if names.is_empty() {
        let all = store.sets().iter().flat_map(|s| &s.entries);
        all.filter(|e| store.place(e).exists()).collect()
    } else {
        expand(store, names)?
    };
    if entries.is_empty() {
        say(&format!(
            "nothing to verify: no file is in {}",
            store.root().display()
        ));
    }
    each(&entries, |entry| {
        let checked = store.verify(entry)?;
        let known = match checked.known {
            Known::Manifest => "manifest",
            Known::Record => "record",
            Known::FirstSeen => "recorded now",
        };
        print_line(&format!("{}: ok {} ({known})", entry.id(), checked.sha256))
    })
}

fn path(store: &Store, name: &str) -> Result<()> {
    each(&store.expand(name)?, |entry| {
        print_line(&store.path(entry)?.display().to_string())
    })
}
