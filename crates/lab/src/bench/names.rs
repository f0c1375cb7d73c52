//! Names of files, made from names in plans and results.

use std::collections::HashSet;

use crate::files::plain;

/// A name that is safe as a file's: letters, digits, `.`, `-` and `_`.
pub fn file_name(text: &str) -> String {
    plain(text, ".-_", '-').trim_start_matches('.').to_string()
}

/// Names for files made from names in the data: letters, digits, `-`, `_`, `.` and `=` stay, and no
/// two are the same.
#[derive(Default)]
pub struct FileNames(HashSet<String>);

impl FileNames {
    /// `name` with `extension`, numbered if that is taken.
    pub fn make(&mut self, name: &str, extension: &str) -> String {
        let mut stem: String = plain(name, "-_.=", '-').chars().take(150).collect();
        if stem.is_empty() || stem.starts_with('.') {
            stem.insert(0, '_');
        }
        let mut file = format!("{stem}.{extension}");
        let mut n = 2;
        // file systems may not tell upper from lower case
        while !self.0.insert(file.to_lowercase()) {
            file = format!("{stem}-{n}.{extension}");
            n += 1;
        }
        file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_plain_and_distinct() {
        let mut names = FileNames::default();
        assert_eq!(names.make("x265 a/b", "svg"), "x265-a-b.svg");
        assert_eq!(names.make("x265 a:b", "svg"), "x265-a-b-2.svg");
        assert_eq!(names.make("X265 a:b", "svg"), "X265-a-b-3.svg");
        assert_eq!(names.make("../é", "json"), "_..--.json");
        assert_eq!(names.make("", "json"), "_.json");
    }
}
