//! What the names of raw files say: `Beauty_1920x1080_120fps_420_8bit_YUV.yuv`,
//! `BasketballPass_416x240_50.yuv`.

use super::extension::extension;
use super::source_options::SourceOptions;
use nvc::error::{Error, Result};
use nvc::frame::{Chroma, PixelFormat, Ratio};

/// Whether a name is that of raw planar video.
pub fn is_raw_name(name: impl AsRef<std::path::Path>) -> bool {
    matches!(extension(name).as_str(), "yuv" | "raw" | "rgb" | "gray")
}

/// All that a name says of a quantity; more than one value is ambiguous.
type Values<T> = Vec<T>;

/// What a name says.
#[derive(Debug, Default, PartialEq)]
pub struct Named {
    sizes: Values<(usize, usize)>,
    rates: Values<Ratio>,
    chromas: Values<Option<Chroma>>,
    depths: Values<u32>,
    /// A whole pixel format by ffmpeg's name.
    formats: Values<PixelFormat>,
}

fn add<T: PartialEq>(values: &mut Values<T>, value: T) {
    if !values.contains(&value) {
        values.push(value);
    }
}

impl Named {
    /// Reads the parts of a file's name between `_`, `-` and spaces.
    pub fn parse(name: &str) -> Named {
        let mut named = Named::default();
        let Some(stem) = std::path::Path::new(name)
            .file_stem()
            .map(|s| s.to_string_lossy().to_lowercase())
        else {
            return named;
        };
        let mut bare_rate: Option<Ratio> = None;
        let mut after_size = false;
        for part in stem.split(['_', '-', ' ']) {
            let number = |end: &str| part.strip_suffix(end).and_then(|n| n.parse::<u32>().ok());
            let size = part
                .split_once('x')
                .and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
            let was_after_size = std::mem::replace(&mut after_size, size.is_some());
            if let Some(size) = size {
                add(&mut named.sizes, size);
            } else if let Some(rate) = part
                .strip_suffix("fps")
                .or(part.strip_suffix("hz"))
                .and_then(|t| t.parse().ok())
            {
                add(&mut named.rates, rate);
            } else if let Some(depth) = number("bits").or(number("bit")).or(number("b")) {
                add(&mut named.depths, depth);
            } else if let Ok(format) = PixelFormat::from_name(part) {
                add(&mut named.formats, format);
            } else if let Some(chroma) = match part {
                "420" | "420p" | "yuv420" | "p420" => Some(Some(Chroma::Yuv420)),
                "444" | "444p" | "yuv444" | "p444" => Some(Some(Chroma::Yuv444)),
                "422" | "422p" | "yuv422" | "yuv422p" | "yuv422p10le" | "p422" => Some(None),
                _ => None,
            } {
                add(&mut named.chromas, chroma);
            } else if was_after_size && part.len() <= 6 {
                // NAME_416x240_50: the rate of the JCT-VC's names
                bare_rate = part.parse().ok();
            }
        }
        if named.rates.is_empty() {
            named.rates.extend(bare_rate);
        }
        named
    }

    /// Completes options with what the name says; a sentence about what was taken from it, if
    /// anything was.
    pub fn fill(
        &self,
        opts: &SourceOptions,
        name: &str,
    ) -> Result<(SourceOptions, Option<String>)> {
        let ambiguous = |what: &str, values: String, option: &str| {
            Err(Error::Parameter(format!(
                "{name}: the name gives more than one {what} ({values}); say which with {option}"
            )))
        };
        let mut opts = opts.clone();
        let mut taken = Vec::new();
        if opts.size_in.is_none() {
            match self.sizes[..] {
                [] => {}
                [(w, h)] => {
                    opts.size_in = Some((w, h));
                    taken.push(format!("{w}x{h}"));
                }
                _ => {
                    return ambiguous(
                        "size",
                        join(&self.sizes, |(w, h)| format!("{w}x{h}")),
                        "--size-in",
                    );
                }
            }
        }
        if opts.fps.is_none() {
            match self.rates[..] {
                [] => {}
                [rate] => {
                    opts.fps = Some(rate);
                    taken.push(format!("{} frames a second", rate_text(rate)));
                }
                _ => return ambiguous("rate", join(&self.rates, |r| rate_text(*r)), "--fps"),
            }
        }
        if opts.pix_fmt.is_none()
            && let Some(format) = self.format(name)?
        {
            opts.pix_fmt = Some(format);
            taken.push(format.name().into());
        }
        let note =
            (!taken.is_empty()).then(|| format!("taken from the name: {}", taken.join(", ")));
        Ok((opts, note))
    }

    fn format(&self, name: &str) -> Result<Option<PixelFormat>> {
        let mut formats: Vec<PixelFormat> = self.formats.clone();
        if formats.is_empty() && !(self.chromas.is_empty() && self.depths.is_empty()) {
            for chroma in if self.chromas.is_empty() {
                &[Some(Chroma::Yuv420)][..]
            } else {
                &self.chromas
            } {
                let Some(chroma) = *chroma else {
                    return Err(Error::Unsupported(format!(
                        "{name}: the name says 4:2:2 (known: 4:2:0 and 4:4:4; --pix-fmt says otherwise)"
                    )));
                };
                for depth in if self.depths.is_empty() {
                    &[8][..]
                } else {
                    &self.depths
                } {
                    let bit_depth = u8::try_from(*depth).ok().filter(|d| [8, 10].contains(d)).ok_or_else(|| {
                        Error::Unsupported(format!(
                            "{name}: the name says {depth} bits a sample (known: 8 and 10; --pix-fmt says otherwise)"
                        ))
                    })?;
                    formats.push(PixelFormat { chroma, bit_depth });
                }
            }
        }
        match formats[..] {
            [] => Ok(None),
            [format] => Ok(Some(format)),
            _ => {
                let values = join(&formats, |f| f.name().into());
                Err(Error::Parameter(format!(
                    "{name}: the name gives more than one format ({values}); say which with --pix-fmt"
                )))
            }
        }
    }
}

fn rate_text(r: Ratio) -> String {
    if r.den == 1 {
        r.num.to_string()
    } else {
        format!("{}/{}", r.num, r.den)
    }
}

fn join<T>(values: &[T], text: impl Fn(&T) -> String) -> String {
    values.iter().map(text).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(name: &str) -> Result<String> {
        let (o, _) = Named::parse(name).fill(&SourceOptions::default(), name)?;
        let text = |v: Option<String>| v.unwrap_or("-".into());
        let (size, rate) = (
            o.size_in.map(|(w, h)| format!("{w}x{h}")),
            o.fps.map(rate_text),
        );
        Ok(format!(
            "{} {} {}",
            text(size),
            text(rate),
            text(o.pix_fmt.map(|f| f.name().into()))
        ))
    }

    #[test]
    fn names_of_the_usual_sequences() {
        for (name, says) in [
            (
                "Beauty_1920x1080_120fps_420_8bit_YUV.yuv",
                "1920x1080 120 yuv420p",
            ),
            (
                "/d_4x4/street_1920x1080_25fps_420_8bit_YUV_8f.yuv",
                "1920x1080 25 yuv420p",
            ),
            ("CiscoVT2people_320x192_12fps_9f.yuv", "320x192 12 -"),
            ("BasketballPass_416x240_50.yuv", "416x240 50 -"),
            ("Johnny_1280x720_60.yuv", "1280x720 60 -"),
            (
                "x_1920x1080_120fps_420_10bit_YUV.yuv",
                "1920x1080 120 yuv420p10le",
            ),
            (
                "DucksAndLegs_1920x1080_30_10bit_444.yuv",
                "1920x1080 30 yuv444p10le",
            ),
            (
                "MarketPlace_1920x1080_60fps_10bit_420_1f.yuv",
                "1920x1080 60 yuv420p10le",
            ),
            (
                "a-640x360-29.97fps-yuv444p.yuv",
                "640x360 30000/1001 yuv444p",
            ),
            ("foreman_352x288_420.yuv", "352x288 - yuv420p"),
            ("a_64x64_60fps_30.yuv", "64x64 60 -"),
            ("videoSRC05_1920x1080_25.yuv", "1920x1080 25 -"),
            ("akiyo.yuv", "- - -"),
            ("0x10_b.yuv", "0x10 - -"),
            ("x_x_axb_99999999999999999999x3.yuv", "- - -"),
        ] {
            assert_eq!(filled(name).unwrap(), says, "{name}");
        }
    }

    #[test]
    fn ambiguous_names_need_the_option() {
        for (name, option) in [
            ("a_1920x1080_to_960x540.yuv", "--size-in"),
            ("a_64x64_25fps_50fps.yuv", "--fps"),
            ("a_64x64_8bit_10bit.yuv", "--pix-fmt"),
            ("a_64x64_420_444.yuv", "--pix-fmt"),
            ("a_64x64_12bit.yuv", "--pix-fmt"),
            ("a_64x64_422.yuv", "--pix-fmt"),
        ] {
            let e = filled(name).unwrap_err();
            assert!(e.to_string().contains(option), "{name}: {e}");
            // and with it, the name is not asked
            let opts = SourceOptions {
                size_in: Some((8, 8)),
                pix_fmt: Some(PixelFormat::new8(Chroma::Gray)),
                fps: Some(Ratio { num: 1, den: 1 }),
                ..SourceOptions::default()
            };
            let (o, note) = Named::parse(name).fill(&opts, name).unwrap();
            assert_eq!(
                (o.size_in, o.pix_fmt, o.fps, note),
                (opts.size_in, opts.pix_fmt, opts.fps, None)
            );
        }
    }
}
