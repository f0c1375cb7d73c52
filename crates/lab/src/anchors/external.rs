//! A codec of the user's own, given by the commands that encode and decode.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use super::nal::Syntax;
use super::picture::{Calls, Files};
use super::program::{Call, Program};
use super::search::Run;
use super::stream::{change_depth, feed, plain};
use super::{Backend, Job};
use nvc::error::{Error, Result};
use nvc::frame::{Chroma, Frame, VideoInfo};
use nvc_media::{FrameSource, Y4mSource};

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

    fn wrong(&self, what: &str) -> Error {
        Error::Parameter(format!("external codec '{}': {what}", self.name))
    }

    fn call(&self, template: &str, values: &Values) -> Result<Call> {
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
struct Values<'a> {
    input: &'a str,
    output: &'a str,
    quality: f64,
    info: &'a VideoInfo,
    frames: u64,
    threads: usize,
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

/// An external codec on one video sequence.
pub(super) struct ExternalVideo<'a> {
    codec: &'a ExternalCodec,
    job: Job<'a>,
    coded: VideoInfo,
    frames: u64,
}

impl<'a> ExternalVideo<'a> {
    pub fn new(codec: &'a ExternalCodec, job: Job<'a>) -> Result<Self> {
        codec.check()?;
        if job.info.format.chroma == Chroma::Rgb {
            return Err(Error::Parameter(format!(
                "{}: RGB goes as pictures",
                codec.name
            )));
        }
        // Counted only where a command asks for it: it takes a pass over the reference.
        let mut frames = 0;
        if format!("{}{}", codec.encode, codec.decode).contains("{frames}") {
            let mut source = (job.reference)()?;
            while source.read()?.is_some() {
                frames += 1;
            }
        }
        Ok(ExternalVideo {
            codec,
            job,
            coded: plain(job.info, job.info.format),
            frames,
        })
    }

    fn values<'v>(&'v self, input: &'v str, output: &'v str, quality: f64) -> Values<'v> {
        Values {
            input,
            output,
            quality,
            info: &self.coded,
            frames: self.frames,
            threads: self.job.threads.max(1),
        }
    }

    fn create(path: &Path) -> Result<File> {
        File::create(path).map_err(|e| Error::io(format!("creating {}", path.display()), e))
    }

    fn open(path: &Path) -> Result<File> {
        File::open(path).map_err(|e| {
            Error::io(
                format!(
                    "opening {}, which a command should have written",
                    path.display()
                ),
                e,
            )
        })
    }
}

impl Backend for ExternalVideo<'_> {
    fn encode(&self, quality: f64) -> Result<Run> {
        let what = format!("encode with {}", self.codec.name);
        let stream = self
            .job
            .dir
            .join(format!("{quality}.{}", self.codec.extension));
        let input = self.job.dir.join("in.y4m");
        let by_file = self.codec.encode.contains("{input}");
        if by_file {
            feed(
                self.job.reference,
                &self.coded,
                self.job.siting,
                Self::create(&input)?,
            )?;
        }
        let call = self.codec.call(
            &self.codec.encode,
            &self.values(
                &input.display().to_string(),
                &stream.display().to_string(),
                quality,
            ),
        )?;
        let stdout = if self.codec.encode.contains("{output}") {
            Stdio::null()
        } else {
            Self::create(&stream)?.into()
        };
        let begin = Instant::now();
        let mut program = Program::start(
            &call,
            if by_file {
                Stdio::null()
            } else {
                Stdio::piped()
            },
            stdout,
            self.job.place(),
        )?;
        if let Some(pipe) = program.stdin.take() {
            feed(self.job.reference, &self.coded, self.job.siting, pipe)?;
        }
        program.wait(&what)?;
        let seconds = begin.elapsed().as_secs_f64();
        let bytes = Self::open(&stream)?
            .metadata()
            .map_err(|e| Error::io(format!("reading {}", stream.display()), e))?
            .len();
        // decoding must not be able to look at it
        if by_file {
            std::fs::remove_file(&input)
                .map_err(|e| Error::io(format!("removing {}", input.display()), e))?;
        }
        Ok(Run {
            quality,
            bytes,
            whole: bytes,
            seconds,
            streams: vec![stream],
        })
    }

    fn decode(&self, run: &Run, each: &mut dyn FnMut(Frame) -> Result<()>) -> Result<f64> {
        let what = format!("decode a stream of {}", self.codec.name);
        let [stream] = &run.streams[..] else {
            return Err(Error::Parameter(format!(
                "{} streams to decode (expected 1)",
                run.streams.len()
            )));
        };
        let output = self.job.dir.join("dec.y4m");
        let call = self.codec.call(
            &self.codec.decode,
            &self.values(
                &stream.display().to_string(),
                &output.display().to_string(),
                run.quality,
            ),
        )?;
        let stdin = || -> Result<Stdio> {
            Ok(if self.codec.decode.contains("{input}") {
                Stdio::null()
            } else {
                Self::open(stream)?.into()
            })
        };
        // Timed with nobody reading: the scores would be in the time.
        let begin = Instant::now();
        Program::start(&call, stdin()?, Stdio::null(), self.job.place())?.wait(&what)?;
        let seconds = begin.elapsed().as_secs_f64();
        if self.codec.decode.contains("{output}") {
            self.frames(
                BufReader::with_capacity(1 << 18, Self::open(&output)?),
                each,
            )?;
            std::fs::remove_file(&output)
                .map_err(|e| Error::io(format!("removing {}", output.display()), e))?;
            return Ok(seconds);
        }
        let mut program = Program::start(&call, stdin()?, Stdio::piped(), self.job.place())?;
        if let Some(pipe) = program.stdout.take() {
            match self.frames(BufReader::with_capacity(1 << 18, pipe), each) {
                // what a failing program leaves is torn: its own message is the better one
                Err(e @ Error::Format { .. }) => return program.wait(&what).and(Err(e)),
                r => r?,
            }
        }
        program.wait(&what)?;
        Ok(seconds)
    }

    fn command(&self, quality: f64) -> String {
        let stream = format!("OUT.{}", self.codec.extension);
        // these calls differ from those that ran in names only
        let line = |template: &str, input: &str, output: &str| {
            let call = self
                .codec
                .call(template, &self.values(input, output, quality))
                .map(|c| c.line())
                .unwrap_or_default();
            let from = if template.contains("{input}") {
                String::new()
            } else {
                format!(" < {input}")
            };
            let to = if template.contains("{output}") {
                String::new()
            } else {
                format!(" > {output}")
            };
            call + &from + &to
        };
        format!(
            "{} && {}",
            line(&self.codec.encode, "IN.y4m", &stream),
            line(&self.codec.decode, &stream, "DEC.y4m")
        )
    }
}

impl ExternalVideo<'_> {
    fn frames(
        &self,
        reader: impl std::io::Read,
        each: &mut dyn FnMut(Frame) -> Result<()>,
    ) -> Result<()> {
        let mut source = Y4mSource::new(reader, &format!("output of {}", self.codec.name), None)?;
        let (got, want) = (*source.info(), self.job.info);
        if (got.width, got.height, got.format.chroma)
            != (want.width, want.height, want.format.chroma)
        {
            let ((gw, gh, gf), (ww, wh, wf)) = (
                (got.width, got.height, got.format),
                (want.width, want.height, want.format),
            );
            let what = format!(
                "{} decodes to {gw}x{gh} {}, the reference is {ww}x{wh} {}",
                self.codec.name,
                gf.name(),
                wf.name()
            );
            return Err(Error::Mismatch(what));
        }
        while let Some(mut frame) = source.read()? {
            change_depth(&mut frame, got.format.bit_depth, want.format.bit_depth);
            each(frame)?;
        }
        Ok(())
    }
}

/// An external codec on RGB pictures.
pub(super) struct ExternalPicture<'a> {
    codec: &'a ExternalCodec,
    info: VideoInfo,
    threads: usize,
}

impl<'a> ExternalPicture<'a> {
    pub fn new(codec: &'a ExternalCodec, job: &Job) -> Result<Self> {
        codec.check()?;
        for (what, template) in [("encode", &codec.encode), ("decode", &codec.decode)] {
            if !(template.contains("{input}") && template.contains("{output}")) {
                return Err(codec.wrong(&format!(
                    "{what} command: for RGB pictures it must name {{input}} and {{output}}"
                )));
            }
        }
        Ok(ExternalPicture {
            codec,
            info: *job.info,
            threads: job.threads.max(1),
        })
    }

    fn values<'v>(&'v self, input: &'v str, output: &'v str, quality: f64) -> Values<'v> {
        Values {
            input,
            output,
            quality,
            info: &self.info,
            frames: 1,
            threads: self.threads,
        }
    }
}

impl Calls for ExternalPicture<'_> {
    fn input(&self) -> &str {
        "png"
    }

    fn stream(&self) -> &str {
        &self.codec.extension
    }

    fn output(&self) -> &str {
        "png"
    }

    fn encode(&self, f: &Files, quality: f64) -> Result<Call> {
        self.codec.call(
            &self.codec.encode,
            &self.values(&f.input, &f.stream, quality),
        )
    }

    fn decode(&self, f: &Files, quality: f64) -> Result<Call> {
        self.codec.call(
            &self.codec.decode,
            &self.values(&f.stream, &f.output, quality),
        )
    }

    fn syntax(&self) -> Option<Syntax> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nvc::frame::{ColorInfo, PixelFormat, Ratio};

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
        let format = PixelFormat::new8(Chroma::Yuv420);
        let info = VideoInfo {
            width: 64,
            height: 48,
            format,
            fps,
            sar: Ratio { num: 1, den: 1 },
            color: ColorInfo::UNSPECIFIED,
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
