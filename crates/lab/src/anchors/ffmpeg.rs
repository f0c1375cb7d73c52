//! Which ffmpeg: those that `NVC_FFMPEG` lists, separated like PATH, and then `ffmpeg`; the first
//! that has what is needed.

use std::path::{Path, PathBuf};

use crate::memo::Memo;
use crate::program::Call;
use nvc::error::{Error, Result};

/// Environment variable with programs to ask before the `ffmpeg` of PATH.
pub const FFMPEG_VARIABLE: &str = "NVC_FFMPEG";

/// What an ffmpeg must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    Encoder(&'static str),
    Filter(&'static str),
}

impl Need {
    fn topic(self) -> (&'static str, &'static str) {
        match self {
            Need::Encoder(name) => ("encoder", name),
            Need::Filter(name) => ("filter", name),
        }
    }
}

/// An ffmpeg, and what it says of the thing needed.
#[derive(Clone, Debug)]
pub(super) struct Ffmpeg {
    pub program: PathBuf,
    help: String,
}

impl Ffmpeg {
    /// The first that has it. Asked once a process and program.
    pub fn having(need: Need) -> Result<Self> {
        let list = std::env::var_os(FFMPEG_VARIABLE).unwrap_or_default();
        let mut programs: Vec<PathBuf> = std::env::split_paths(&list)
            .filter(|p| !p.as_os_str().is_empty())
            .collect();
        programs.push("ffmpeg".into());
        Self::first(programs, need)
    }

    fn first(programs: Vec<PathBuf>, need: Need) -> Result<Self> {
        let (kind, name) = need.topic();
        let mut asked = Vec::new();
        for program in programs {
            match help(&program, need) {
                Ok(Some(help)) => return Ok(Ffmpeg { program, help }),
                Ok(None) => asked.push(format!("{}: no {kind} '{name}'", program.display())),
                Err(e) => asked.push(format!("{}: {e}", program.display())),
            }
        }
        Err(Error::Unsupported(format!(
            "no ffmpeg has the {kind} '{name}' ({}). Name others in {FFMPEG_VARIABLE}, separated like PATH; scripts/fetch-ffmpeg.sh fetches one",
            asked.join("; ")
        )))
    }

    /// A call of it.
    pub fn call(&self, args: &[&str]) -> Call {
        let start = ["-hide_banner", "-nostdin", "-v", "error", "-y"];
        Call {
            program: self.program.clone(),
            ..Call::new("ffmpeg", &[&start, args].concat())
        }
    }

    /// The first line of what it says of its version. Asked once a process and program.
    pub fn version(&self) -> Option<String> {
        static KNOWN: Memo<PathBuf, String> = Memo::new();
        let ask = || {
            let call = Call {
                program: self.program.clone(),
                ..Call::new("ffmpeg", &["-version"])
            };
            let said = call.output().ok();
            let first = said
                .as_deref()
                .and_then(|s| s.lines().map(str::trim).find(|l| !l.is_empty()));
            first.map(String::from).ok_or(())
        };
        KNOWN.get(self.program.clone(), ask).ok()
    }

    /// Whether the encoder takes a pixel format.
    pub fn takes(&self, format: &str) -> bool {
        let line = self
            .help
            .lines()
            .find_map(|l| l.trim().strip_prefix("Supported pixel formats:"));
        line.is_some_and(|l| l.split_whitespace().any(|f| f == format))
    }
}

/// What a program says of the thing needed, `None` if it has none.
fn help(program: &Path, need: Need) -> Result<Option<String>> {
    static KNOWN: Memo<(PathBuf, Need), Option<String>> = Memo::new();
    KNOWN.get((program.to_path_buf(), need), || {
        let (kind, name) = need.topic();
        let call = Call {
            program: program.into(),
            ..Call::new("ffmpeg", &["-hide_banner", "-h", &format!("{kind}={name}")])
        };
        let text = call.output()?;
        let title = match need {
            Need::Encoder(name) => format!("Encoder {name} "),
            Need::Filter(name) => format!("Filter {name}"),
        };
        Ok(text.lines().any(|l| l.starts_with(&title)).then_some(text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_asked_are_named_with_what_they_lack() {
        let programs = vec!["/nonexistent/a".into(), "true".into()];
        let e = Ffmpeg::first(programs, Need::Encoder("libvvenc")).unwrap_err();
        let text = e.to_string();
        assert_eq!(e.exit_code(), 5);
        assert!(
            text.contains("/nonexistent/a: ")
                && text.contains("true: no encoder 'libvvenc'")
                && text.contains("NVC_FFMPEG"),
            "{text}"
        );
    }

    #[test]
    fn formats_are_read_from_the_help() {
        let help =
            "Encoder x [y]:\n    Supported pixel formats: yuv420p yuv420p10le\nx AVOptions:\n"
                .to_string();
        let f = Ffmpeg {
            program: "ffmpeg".into(),
            help,
        };
        assert!(
            f.takes("yuv420p")
                && f.takes("yuv420p10le")
                && !f.takes("yuv444p")
                && !f.takes("yuv420")
        );
    }
}
