//! The arrows of docs/architecture.md inside the decoder's crate: which module may import which, and that nothing between a file's
//! bytes and its samples is computed in floating point. Read from the source text, so no build can hide them. Between crates, cargo
//! holds the arrows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Top-level modules and what each may import. `error` and the crate's root are open to all.
const ARROWS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("frame", &[]),
    ("color", &["frame"]),
    ("bitstream", &["frame"]),
    ("network", &["bitstream", "frame"]),
    ("entropy", &["network"]),
    ("synth", &["entropy", "frame", "network"]),
    ("group", &["bitstream", "entropy", "frame", "network"]),
    ("decoder", &["bitstream", "entropy", "frame", "group", "synth"]),
    ("metrics", &["color", "frame"]),
];

/// Modules on the way from bytes to samples.
const EXACT: &[&str] = &["bitstream", "entropy", "network", "synth", "group", "decoder", "frame"];

/// Where floating point may stand in those, as file and enclosing function or type: all of it is the encoder's.
const ENCODER_ONLY: &[(&str, &str)] = &[
    // sizes of networks, chosen by the encoder
    ("network/size.rs", "*"),
    ("network/size/nerv.rs", "*"),
    ("network/size/nirvana.rs", "*"),
    // an estimate of coded bits
    ("entropy/contexts.rs", "Cost"),
    ("entropy/contexts.rs", "Cost::code"),
    ("entropy/contexts.rs", "Cost::symbol"),
    // a coded step from and to a real number
    ("entropy/tensor.rs", "Step::nearest"),
    ("entropy/tensor.rs", "Step::value"),
    // the choice of a tensor's mode
    ("entropy/tensor.rs", "cheaper"),
];

struct Source {
    /// Path below src, with forward slashes.
    file: String,
    /// Lines of code: without comments, and without what follows `#[cfg(test)]`.
    code: Vec<String>,
}

impl Source {
    fn module(&self) -> &str {
        let top = self.file.split('/').next().unwrap_or("");
        top.strip_suffix(".rs").unwrap_or(top)
    }
}

fn code(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or("");
    text.lines().map(|l| l.split("//").next().unwrap_or("").to_string()).collect()
}

fn sources() -> Vec<Source> {
    fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, out);
            // modules of tests in files of their own may use what they test with
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
                out.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files.sort();
    assert!(files.len() > 30, "only {} sources found below {}", files.len(), root.display());
    files
        .iter()
        .map(|p| Source {
            file: p.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/"),
            code: code(&std::fs::read_to_string(p).unwrap()),
        })
        .collect()
}

/// Whether `word` stands in `text`, not as the end of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(i, _)| !text[..i].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// Every `x` of `crate::x` and of `crate::{x, y}` in the code.
fn imports(code: &[String]) -> BTreeSet<String> {
    let word = |s: &str| s.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let text = code.join("\n");
    let mut out = BTreeSet::new();
    for part in text.split("crate::").skip(1) {
        match part.strip_prefix('{') {
            Some(list) => {
                // only the outermost names count
                let (mut depth, mut item) = (0, String::new());
                for c in list.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => out.extend([word(&std::mem::take(&mut item))]),
                        c if depth == 0 => item.push(c),
                        _ => {}
                    }
                }
                out.insert(word(&item));
            }
            None => {
                out.insert(word(part));
            }
        }
    }
    out.retain(|w| w.starts_with(|c: char| c.is_lowercase()));
    out
}

#[test]
fn modules_import_only_along_the_arrows() {
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for s in sources() {
        let module = s.module();
        if module == "lib" {
            continue;
        }
        let Some(allowed) = arrows.get(module) else {
            wrong.push(format!("src/{}: module '{module}' has no line in ARROWS", s.file));
            continue;
        };
        seen.insert(module.to_string());
        for to in imports(&s.code) {
            if to != module && to != "error" && !allowed.contains(&to.as_str()) {
                wrong.push(format!("src/{}: {module} imports {to} (allowed: error {})", s.file, allowed.join(" ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(seen.len(), ARROWS.len(), "modules gone from src, still in ARROWS");
}

#[test]
fn the_arrows_hold_no_cycle() {
    let mut left: BTreeMap<&str, BTreeSet<&str>> = ARROWS.iter().map(|(m, a)| (*m, a.iter().copied().collect())).collect();
    while let Some(free) = left.iter().find(|(_, a)| a.is_empty()).map(|(m, _)| *m) {
        left.remove(free);
        for arrows in left.values_mut() {
            arrows.remove(free);
        }
    }
    assert!(left.is_empty(), "these import each other: {:?}", left.keys());
}

/// Whether a line of code names a float type or has a float literal.
fn floats(line: &str) -> bool {
    let b = line.as_bytes();
    let literal = (1..b.len().saturating_sub(1)).any(|i| {
        if !(b[i] == b'.' && b[i - 1].is_ascii_digit() && b[i + 1].is_ascii_digit()) {
            return false;
        }
        // not a field of a tuple's field, such as x.0.1
        let start = b[..i].iter().rposition(|c| !c.is_ascii_digit()).map_or(0, |p| p + 1);
        start == 0 || b[start - 1] != b'.'
    });
    let named = ["f32", "f64"].iter().any(|t| {
        line.match_indices(t).any(|(i, _)| {
            let before = line[..i].chars().next_back();
            // 1f64 is one, of32 is not
            !before.is_some_and(|c| c.is_alphabetic() || c == '_') && !line[i + 3..].starts_with(|c: char| c.is_alphanumeric())
        })
    });
    let quoted = line.contains('"');
    named || (literal && !quoted)
}

fn identifier(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Lines with floating point as (line number, `Type` or `function` or `Type::function` it stands in).
fn float_spots(code: &[String]) -> Vec<(usize, String)> {
    let mut spots = Vec::new();
    let (mut owner, mut function) = (String::new(), String::new());
    for (n, line) in code.iter().enumerate() {
        if !line.starts_with([' ', '}', '#']) && !line.is_empty() {
            // a new item of the file
            (owner, function) = (String::new(), String::new());
            if line.starts_with("impl") {
                owner = identifier(line.split_once(" for ").map_or(line.split_at(5).1, |(_, t)| t));
            } else if let Some((_, after)) = line.split_once("struct ") {
                owner = identifier(after);
            }
        }
        if let Some((before, after)) = line.split_once("fn ")
            && (before.is_empty() || before.ends_with(' '))
        {
            function = identifier(after);
        }
        if floats(line) {
            let between = if owner.is_empty() || function.is_empty() { "" } else { "::" };
            spots.push((n + 1, format!("{owner}{between}{function}")));
        }
    }
    spots
}

#[test]
fn no_floating_point_between_bytes_and_samples() {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for s in sources().iter().filter(|s| EXACT.contains(&s.module())) {
        for (line, owner) in float_spots(&s.code) {
            match ENCODER_ONLY.iter().find(|(f, o)| *f == s.file && (*o == "*" || *o == owner)) {
                Some(spot) => {
                    used.insert(spot);
                }
                None => wrong.push(format!("src/{}:{line}: floating point in '{owner}': {}", s.file, s.code[line - 1].trim())),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(used.len(), ENCODER_ONLY.len(), "spots without floating point are still allowed: {used:?}");
}

#[test]
fn the_encoder_s_floating_point_is_not_called_when_decoding() {
    for s in sources().iter().filter(|s| EXACT.contains(&s.module())) {
        let text: String = s.code.iter().filter(|l| !l.trim_start().starts_with("pub use ")).fold(String::new(), |t, l| t + l + "\n");
        let own = |file: &str| s.file == file;
        assert!(own("network/size.rs") || !has_word(&text, "size::"), "src/{} uses network::size", s.file);
        // of a tensor's modes only the writer chooses, and nothing else there counts bits
        let counts = text.lines().filter(|l| has_word(l, "Cost") && !l.starts_with("use ")).count();
        let guarded = own("entropy/tensor.rs") && counts <= 1 && text.matches("cheaper(").count() == 2;
        assert!(own("entropy/contexts.rs") || guarded || !has_word(&text, "Cost"), "src/{} uses entropy's Cost", s.file);
        assert!(!text.contains("Step::nearest(") && !text.contains("step.value()"), "src/{} uses a step as a real number", s.file);
    }
}

/// The scanners find what they are for.
#[test]
fn scanners_see() {
    let lines = |t: &str| code(t);
    let found = imports(&lines("use crate::{a::B, c::{D, e}, Error};\nlet x = crate::f::g(); // crate::no\nuse $crate::Result;"));
    assert!(found.iter().eq(["a", "c", "f"]), "{found:?}");
    for yes in ["let x: f32 = 1;", "x as f64", "2f64.powi(3)", "y * 0.5", "v.max(1e-9).min(0.1)"] {
        assert!(floats(yes), "{yes}");
    }
    for no in ["0..5", "x.0.1", "t.0", "of32", "f32x", "\"version 1.0\"", "a[1]..b"] {
        assert!(!floats(no), "{no}");
    }
    let text = "\
impl A for B {
    fn a() {
        1.5
    }
}
// 2.5
pub fn b(x: f32) {}
struct C {
    c: f64,
}
#[cfg(test)]
mod tests { fn d() { 0.5 } }";
    let spots = float_spots(&lines(text));
    assert!(spots.iter().map(|(n, s)| (*n, s.as_str())).eq([(3, "B::a"), (7, "b"), (9, "C")]), "{spots:?}");
}
