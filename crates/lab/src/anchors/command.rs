//! A codec of the user's own: its commands, and the words in them that stand for files and figures.

use super::stream::plain;
use crate::program::Call;
use nvc::error::{Error, Result};
use nvc::frame::VideoInfo;

/// Words that commands may hold in braces.
const WORDS: &[&str] = &[
    "input", "output", "quality", "width", "height", "fps", "frames", "threads",
];

/// A codec that two commands run: `encode` makes a file of `{output}` from `{input}`, `decode` the
/// reverse.
///
/// Video (YUV and gray) goes in and out as y4m; a command that does not name `{input}` gets it on
/// stdin, one that does not name `{output}` gives it on stdout. RGB pictures go in and out as PNG
/// files, one by one. Commands are split at white space, with quotes as in a shell, but no shell
/// runs them. `{quality}`, `{width}`, `{height}`, `{fps}` (as `25/1`), `{frames}` and `{threads}`
/// are replaced too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalCodec {
    /// Name in results; a word.
    pub name: String,
    /// Name of the curve beside the codec's, may be empty.
    pub config: String,
    /// Command that encodes.
    pub encode: String,
    /// Command that decodes.
    pub decode: String,
    /// Extension of the coded file, without a dot.
    pub extension: String,
    /// Its version, as the user states it.
    pub version: String,
    /// What its quality is called.
    pub quality_name: String,
}

impl ExternalCodec {
    /// A codec of a name and two commands; the other fields have defaults (`bin`, `q`, and
    /// nothing).
    pub fn new(name: &str, encode: &str, decode: &str) -> Self {
        ExternalCodec {
            name: name.into(),
            config: String::new(),
            encode: encode.into(),
            decode: decode.into(),
            extension: "bin".into(),
            version: String::new(),
            quality_name: "q".into(),
        }
    }

    /// Checks names and commands without running anything.
    pub fn check(&self) -> Result<()> {
        let word = |w: &str| {
            !w.is_empty()
                && w.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b))
        };
        for (what, text) in [
            ("name", &self.name),
            ("extension", &self.extension),
            ("quality name", &self.quality_name),
        ] {
            if !word(text) {
                return Err(self.wrong(&format!(
                    "{what} '{text}' (allowed: letters, digits and - _ . +)"
                )));
            }
        }
        for (what, template) in [("encode", &self.encode), ("decode", &self.decode)] {
            let words = split(template).map_err(|e| self.wrong(&format!("{what} command: {e}")))?;
            if words.is_empty() {
                return Err(self.wrong(&format!("{what} command is empty")));
            }
            if let Some(unknown) = words
                .iter()
                .flat_map(|w| braces(w))
                .find(|b| !WORDS.contains(b))
            {
                let known = WORDS
                    .iter()
                    .map(|w| format!("{{{w}}}"))
                    .collect::<Vec<_>>()
                    .join(" ");
                return Err(self.wrong(&format!("{what} command: {{{unknown}}} (known: {known})")));
            }
        }
        Ok(())
    }

    pub(super) fn wrong(&self, what: &str) -> Error {
        Error::Parameter(format!("external codec '{}': {what}", self.name))
    }

    pub(super) fn call(&self, template: &str, values: &Values) -> Result<Call> {
        let mut words = split(template)
            .map_err(|e| self.wrong(&e))?
            .into_iter()
            .map(|w| values.fill(&w));
        let program = words.next().ok_or_else(|| self.wrong("empty command"))?;
        Ok(Call {
            name: program.clone(),
            program: program.into(),
            args: words.collect(),
        })
    }
}

/// Words of a command; quotes of both kinds group, nothing is expanded.
fn split(command: &str) -> std::result::Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    for c in command.chars() {
        match quote {
            Some(q) if c == q => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    if let Some(q) = quote {
        return Err(format!("a {q} that is not closed"));
    }
    words.extend(word);
    Ok(words)
}

/// Lower-case words in braces.
fn braces(text: &str) -> Vec<&str> {
    let inside = |part: &'_ str| {
        part.find('}').filter(|&e| {
            e > 0
                && part[..e]
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'_')
        })
    };
    text.split('{')
        .skip(1)
        .filter_map(|part| inside(part).map(|e| &part[..e]))
        .collect()
}

/// What stands for the words in braces.
pub(super) struct Values<'a> {
    pub input: &'a str,
    pub output: &'a str,
    pub quality: f64,
    pub info: &'a VideoInfo,
    pub frames: u64,
    pub threads: usize,
}

impl Values<'_> {
    fn fill(&self, word: &str) -> String {
        let fps = plain(self.info, self.info.format).fps;
        let mut out = String::new();
        let mut rest = word;
        // in one pass, so that a file name with braces stays as it is
        while let Some(at) = rest.find('{') {
            out += &rest[..at];
            rest = &rest[at..];
            let value = WORDS
                .iter()
                .find(|w| {
                    rest[1..]
                        .strip_prefix(**w)
                        .is_some_and(|r| r.starts_with('}'))
                })
                .map(|w| {
                    let text = match *w {
                        "input" => self.input.to_string(),
                        "output" => self.output.to_string(),
                        "quality" => self.quality.to_string(),
                        "width" => self.info.width.to_string(),
                        "height" => self.info.height.to_string(),
                        "fps" => format!("{}/{}", fps.num, fps.den),
                        "frames" => self.frames.to_string(),
                        _ => self.threads.to_string(),
                    };
                    (text, w.len() + 2)
                });
            let (text, skip) = value.unwrap_or(("{".into(), 1));
            out += &text;
            rest = &rest[skip..];
        }
        out + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::info;
    use nvc::frame::{Chroma, Ratio, VideoInfo};

    #[test]
    fn commands_are_split_like_a_shell_s() {
        assert_eq!(
            split(" a  'b c' \"d'e\"f '' ").unwrap(),
            ["a", "b c", "d'ef", ""]
        );
        assert!(split("a 'b").unwrap_err().contains("not closed"));
        assert_eq!(braces("-x={width}:{q_1}{Height} {} {a"), ["width"]);
    }

    #[test]
    fn words_in_braces_are_replaced_once() {
        let fps = Ratio {
            num: 30000,
            den: 1001,
        };
        let info = VideoInfo {
            fps,
            ..info(Chroma::Yuv420, 8, 64, 48)
        };
        let v = Values {
            input: "/t/{quality} x",
            output: "o",
            quality: 27.5,
            info: &info,
            frames: 9,
            threads: 2,
        };
        assert_eq!(v.fill("{input}"), "/t/{quality} x");
        assert_eq!(
            v.fill("{width}x{height}@{fps}:{quality}/{frames}/{threads}{other}{"),
            "64x48@30000/1001:27.5/9/2{other}{"
        );
    }

    #[test]
    fn wrong_codecs() {
        let ok = ExternalCodec::new(
            "own",
            "enc -q {quality} {input} {output}",
            "dec {input} {output}",
        );
        ok.check().unwrap();
        let message = |c: ExternalCodec| c.check().unwrap_err().to_string();
        assert!(
            message(ExternalCodec {
                name: "a b".into(),
                ..ok.clone()
            })
            .contains("'a b'")
        );
        assert!(
            message(ExternalCodec {
                extension: "a/b".into(),
                ..ok.clone()
            })
            .contains("'a/b'")
        );
        assert!(
            message(ExternalCodec {
                encode: " ".into(),
                ..ok.clone()
            })
            .contains("encode command is empty")
        );
        assert!(
            message(ExternalCodec {
                decode: "dec {inptu}".into(),
                ..ok.clone()
            })
            .contains("{inptu} (known: {input} {output}")
        );
        assert!(
            message(ExternalCodec {
                decode: "dec '{input}".into(),
                ..ok
            })
            .contains("not closed")
        );
    }
}
