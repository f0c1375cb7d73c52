//! No file of a crate imports one that, directly or through others, imports it; read from the source
//! text.

use std::collections::BTreeMap;
use std::path::Path;

/// Folders of source text, and the number of files that each has at least.
const FOLDERS: [(&str, usize); 5] = [
    ("src", 40),
    ("crates/media/src", 30),
    ("crates/encoder/src", 30),
    ("crates/lab/src", 60),
    ("crates/cli/src", 20),
];

/// Files by the path of their module, such as `["bench", "plan"]`, without comments and tests.
type Modules = BTreeMap<Vec<String>, String>;

fn read(folder: &Path, module: &[String], out: &mut Modules) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_string();
        let below = [module, std::slice::from_ref(&stem)].concat();
        if path.is_dir() {
            if stem != "tests" {
                read(&path, &below, out);
            }
        } else if !stem.ends_with("tests") && path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("\nmod tests {").next().unwrap_or("");
            let code = code.split("\n#[cfg(all(test").next().unwrap_or("");
            let lines = code.lines().map(|l| l.split("//").next().unwrap_or(""));
            let of_folder = stem == "mod" || stem == "lib";
            let name = if of_folder { module.to_vec() } else { below };
            out.insert(name, lines.collect::<Vec<_>>().join("\n"));
        }
    }
}

/// Paths that the code names; of `use a::{b, c::d}` the paths `a::b` and `a::c::d`.
fn paths(code: &str) -> Vec<String> {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let whole = |p: &&str| p.contains("::") && !p.ends_with("::");
    let named = code.split(|c| !word(c)).filter(whole);
    let mut out: Vec<String> = named.map(str::to_string).collect();
    for (at, _) in code.match_indices("::{") {
        let prefix = code[..at].rsplit(|c| !word(c)).next().unwrap_or("");
        let list = code[at + 3..].split("};").next().unwrap_or("");
        let items = list.split([',', '{', '}']).map(str::trim);
        let items = items.filter(|item| !item.is_empty());
        out.extend(items.map(|item| format!("{prefix}::{item}")));
    }
    out
}

/// The module whose file a path named in `from` leads into.
fn resolve(modules: &Modules, from: &[String], path: &str) -> Option<Vec<String>> {
    let mut at = from.to_vec();
    let mut words = path.split("::").peekable();
    match words.peek()? {
        &"crate" => {
            at.clear();
            words.next();
        }
        &"self" => {
            words.next();
        }
        &"super" => {
            while words.next_if_eq(&"super").is_some() {
                at.pop();
            }
        }
        first => {
            let child = [&at[..], &[first.to_string()]].concat();
            modules.get(&child)?;
        }
    }
    for word in words {
        let child = [&at[..], &[word.to_string()]].concat();
        if !modules.contains_key(&child) {
            break;
        }
        at = child;
    }
    Some(at)
}

/// Files that import each other, among those below a folder.
fn ring(folder: &Path, at_least: usize) -> Vec<String> {
    let mut modules = Modules::new();
    read(folder, &[], &mut modules);
    let mut left: BTreeMap<&[String], Vec<Vec<String>>> = modules
        .iter()
        .map(|(module, code)| {
            let asked = paths(code);
            let asked = asked.iter().filter_map(|p| resolve(&modules, module, p));
            (&module[..], asked.filter(|a| a != module).collect())
        })
        .collect();
    let (files, imports) = (left.len(), left.values().flatten().count());
    assert!(
        files >= at_least && imports > 2 * files,
        "{} has {files} files with {imports} imports",
        folder.display()
    );
    // take away what imports nothing that is left, and what nothing imports, until only rings are left
    loop {
        let before = left.len();
        let names: Vec<Vec<String>> = left.keys().map(|k| k.to_vec()).collect();
        let asked: Vec<Vec<String>> = left.values().flatten().cloned().collect();
        left.retain(|name, asks| {
            asks.iter().any(|a| names.contains(a)) && asked.iter().any(|a| a == name)
        });
        if left.len() == before {
            break;
        }
    }
    left.keys().map(|m| m.join("/")).collect()
}

#[test]
fn no_file_imports_one_that_imports_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let rings: Vec<_> = FOLDERS
        .into_iter()
        .map(|(folder, at_least)| (folder, ring(&root.join(folder), at_least)))
        .filter(|(_, ring)| !ring.is_empty())
        .collect();
    assert!(rings.is_empty(), "files that import each other: {rings:#?}");
}
