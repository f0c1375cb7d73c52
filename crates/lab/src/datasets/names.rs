//! Names: of files, of archive members, and those near to a mistyped one.

use strsim::levenshtein;

/// Whether a name can be a file in a folder and an argument of a program: no separators, no leading
/// dot or dash.
pub fn is_plain_name(name: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    !name.is_empty()
        && name.len() <= 200
        && !name.starts_with(['.', '-'])
        && name.chars().all(known)
}

/// What follows the last slash, without an address's query.
pub fn last_part(path: &str) -> &str {
    let path = if path.contains("://") {
        path.split(['?', '#']).next().unwrap_or("")
    } else {
        path
    };
    path.rsplit('/').next().unwrap_or("")
}

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packed {
    Plain,
    Gz,
    Xz,
    SevenZ,
    Zip,
    Tar,
    TarGz,
    TarXz,
}

impl Packed {
    /// Whether it is an archive of named files.
    pub fn has_members(self) -> bool {
        !matches!(self, Packed::Plain | Packed::Gz | Packed::Xz)
    }

    /// The name of what a compressed file holds.
    pub fn inner_name(self, name: &str) -> String {
        let cut = if matches!(self, Packed::Gz | Packed::Xz) {
            3
        } else {
            0
        };
        name.get(..name.len().saturating_sub(cut))
            .unwrap_or(name)
            .to_string()
    }
}

/// How a file of this name is packed.
pub fn packed_kind(name: &str) -> Packed {
    const ENDS: &[(&str, Packed)] = &[
        (".7z", Packed::SevenZ),
        (".zip", Packed::Zip),
        (".whl", Packed::Zip),
        (".tar", Packed::Tar),
        (".tar.gz", Packed::TarGz),
        (".tgz", Packed::TarGz),
        (".tar.xz", Packed::TarXz),
        (".txz", Packed::TarXz),
        (".gz", Packed::Gz),
        (".xz", Packed::Xz),
    ];
    let name = name.to_lowercase();
    ENDS.iter()
        .find(|(end, _)| name.ends_with(end))
        .map_or(Packed::Plain, |(_, kind)| *kind)
}

/// Whether `text` fits `pattern`, in which `*` stands for any characters.
pub fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(i) => rest = &rest[i + part.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

/// A member's name as it is compared: forward slashes, no leading `./`; `None` if it is absolute,
/// leads out of its folder or has a control character.
pub fn member_name(name: &str) -> Option<String> {
    let name = name.replace('\\', "/");
    let name = name.trim_start_matches("./");
    let sound = !name.starts_with('/')
        && !name.split('/').any(|p| p == ".." || p.ends_with(':'))
        && !name.chars().any(char::is_control);
    (sound && !name.is_empty()).then(|| name.to_string())
}

/// Whether a member is the wanted one: `wanted` is a path, or the name of a file in whatever
/// folder.
pub fn is_member(wanted: &str, member: &str) -> bool {
    fits(wanted, member) || (!wanted.contains('/') && fits(wanted, last_part(member)))
}

/// Up to three of `names` that someone who typed `name` may have meant, nearest first.
pub fn near<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let name = name.to_lowercase();
    let short = last_part(&name);
    let mut found: Vec<(usize, &str)> = names
        .filter_map(|candidate| {
            let whole = candidate.to_lowercase();
            let d = levenshtein(&name, &whole).min(1 + levenshtein(short, last_part(&whole)));
            (d <= 1 + short.len() / 3).then_some((d, candidate))
        })
        .collect();
    found.sort();
    found.into_iter().take(3).map(|(_, n)| n).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_stay_in_their_folder() {
        for good in ["a", "Beauty_1920x1080.yuv", "c++", "1.1.11"] {
            assert!(is_plain_name(good), "{good}");
        }
        for bad in [
            "", ".", "..", ".a", "-r", "a/b", "a\\b", "a b", "a\n", "C:a", "ä",
        ] {
            assert!(!is_plain_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn patterns() {
        for (pattern, text, fit) in [
            ("a.yuv", "a.yuv", true),
            ("a.yuv", "ba.yuv", false),
            ("Ready*Go_*.yuv", "ReadySteadyGo_1.yuv", true),
            ("Ready*Go_*.yuv", "ReadySteadyGo_1.txt", false),
            ("*", "", true),
            ("a*a", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
        ] {
            assert_eq!(fits(pattern, text), fit, "{pattern} {text}");
        }
        assert!(is_member("x.png", "valid/x.png") && is_member("valid/x.png", "valid/x.png"));
        assert!(!is_member("valid/x.png", "x.png") && !is_member("x.png", "valid/ax.png"));
    }

    #[test]
    fn hostile_members_have_no_name() {
        for bad in [
            "/etc/passwd",
            "../a",
            "a/../../b",
            "C:/a",
            "C:\\a",
            "..\\a",
            "a\0b",
            "",
        ] {
            assert_eq!(member_name(bad), None, "{bad:?}");
        }
        assert_eq!(member_name("./a\\b..c").as_deref(), Some("a/b..c"));
    }

    #[test]
    fn names_that_were_meant() {
        let names = [
            "uvg/Beauty",
            "uvg/Bosphorus",
            "kodak/kodim01",
            "kodak/kodim10",
        ];
        assert_eq!(near("uvg/beuaty", names.into_iter()), ["uvg/Beauty"]);
        assert_eq!(near("bosphorus", names.into_iter()), ["uvg/Bosphorus"]);
        assert_eq!(
            near("kodak/kodim1", names.into_iter()),
            ["kodak/kodim01", "kodak/kodim10"]
        );
        assert!(near("zzzzzz", names.into_iter()).is_empty());
    }

    #[test]
    fn packing_by_name() {
        for (name, kind, inner) in [
            ("a.yuv.xz", Packed::Xz, "a.yuv"),
            ("a.tar.gz", Packed::TarGz, "a.tar.gz"),
            ("A.ZIP", Packed::Zip, "A.ZIP"),
            ("a.yuv", Packed::Plain, "a.yuv"),
        ] {
            assert_eq!(packed_kind(name), kind);
            assert_eq!(kind.inner_name(name), inner);
        }
        assert_eq!(
            packed_kind(last_part("https://h/a.7z?b=c.zip")),
            Packed::SevenZ
        );
    }
}
