//! Pictures: planar frames, their pixel format, frame rate and colour description.

mod colour;

use crate::error::{Error, Result};
pub use colour::{ColorInfo, ContentLight, LightInfo, Mastering, Range, Siting};

/// Sample layout of a picture. Names are ffmpeg's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Chroma {
    /// One plane (`gray`).
    Gray,
    /// Y, Cb, Cr; chroma at half width and half height, rounded up (`yuv420p`).
    Yuv420,
    /// Y, Cb, Cr at full resolution (`yuv444p`).
    Yuv444,
    /// G, B, R at full resolution, in this plane order (`gbrp`).
    Rgb,
    /// Gray, multiplied by alpha, and alpha.
    GrayAlpha,
    /// G, B, R, multiplied by alpha, and alpha (`gbrap`).
    Rgba,
}

impl Chroma {
    /// All of them, at their `chroma` of the sequence header.
    pub const ALL: [Chroma; 6] = [
        Chroma::Gray,
        Chroma::Yuv420,
        Chroma::Yuv444,
        Chroma::Rgb,
        Chroma::GrayAlpha,
        Chroma::Rgba,
    ];

    /// Number of planes, 1 to 4.
    pub fn planes(self) -> usize {
        self.colours() + usize::from(self.has_alpha())
    }

    /// Number of planes without alpha, 1 or 3.
    pub fn colours(self) -> usize {
        match self {
            Chroma::Gray | Chroma::GrayAlpha => 1,
            Chroma::Yuv420 | Chroma::Yuv444 | Chroma::Rgb | Chroma::Rgba => 3,
        }
    }

    /// Whether the first three planes are G, B and R.
    pub fn is_rgb(self) -> bool {
        matches!(self, Chroma::Rgb | Chroma::Rgba)
    }

    /// Whether the last plane is alpha: 0 for what is not there, the largest sample for what hides
    /// all behind it. The others are multiplied by it, so none of their samples is above its.
    pub fn has_alpha(self) -> bool {
        matches!(self, Chroma::GrayAlpha | Chroma::Rgba)
    }
}

/// Sample layout and bit depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PixelFormat {
    /// Layout of the planes.
    pub chroma: Chroma,
    /// Bits per sample, 8 or 10.
    pub bit_depth: u8,
}

impl PixelFormat {
    /// 8-bit format of a layout.
    pub const fn new8(chroma: Chroma) -> Self {
        PixelFormat {
            chroma,
            bit_depth: 8,
        }
    }

    /// Largest sample value.
    pub fn max_value(self) -> u16 {
        ((1u32 << self.bit_depth) - 1) as u16
    }

    /// Bytes per sample in raw planar files: 1 for 8 bit, 2 (little endian) above.
    pub fn bytes_per_sample(self) -> usize {
        if self.bit_depth > 8 { 2 } else { 1 }
    }

    /// Width and height of plane `p` of a `width` x `height` picture.
    pub fn plane_size(self, p: usize, width: usize, height: usize) -> (usize, usize) {
        if self.chroma == Chroma::Yuv420 && p > 0 {
            (width.div_ceil(2), height.div_ceil(2))
        } else {
            (width, height)
        }
    }

    /// Bytes of one raw planar frame.
    pub fn frame_bytes(self, width: usize, height: usize) -> usize {
        (0..self.chroma.planes())
            .map(|p| {
                let (w, h) = self.plane_size(p, width, height);
                w * h * self.bytes_per_sample()
            })
            .sum()
    }

    /// ffmpeg's name of the format; of gray with alpha, for whose planes it has none, `graya`.
    pub fn name(self) -> &'static str {
        match (self.chroma, self.bit_depth) {
            (Chroma::Gray, 8) => "gray",
            (Chroma::Yuv420, 8) => "yuv420p",
            (Chroma::Yuv444, 8) => "yuv444p",
            (Chroma::Rgb, 8) => "gbrp",
            (Chroma::GrayAlpha, 8) => "graya",
            (Chroma::Rgba, 8) => "gbrap",
            (Chroma::Gray, _) => "gray10le",
            (Chroma::Yuv420, _) => "yuv420p10le",
            (Chroma::Yuv444, _) => "yuv444p10le",
            (Chroma::Rgb, _) => "gbrp10le",
            (Chroma::GrayAlpha, _) => "graya10le",
            (Chroma::Rgba, _) => "gbrap10le",
        }
    }

    /// Parses ffmpeg's name of a format of raw frames; those with alpha have none, as ffmpeg does
    /// not multiply colours by it.
    pub fn from_name(name: &str) -> Result<Self> {
        for chroma in [Chroma::Gray, Chroma::Yuv420, Chroma::Yuv444, Chroma::Rgb] {
            for bit_depth in [8, 10] {
                let f = PixelFormat { chroma, bit_depth };
                if f.name() == name {
                    return Ok(f);
                }
            }
        }
        Err(Error::Unsupported(format!(
            "pixel format '{name}' (known: gray, yuv420p, yuv444p, gbrp and their 10-bit forms, as in yuv420p10le)"
        )))
    }
}

/// Exact ratio: frames per second, or the sample aspect ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    /// Numerator.
    pub num: u32,
    /// Denominator; 0 with numerator 0 means unknown.
    pub den: u32,
}

impl std::str::FromStr for Ratio {
    type Err = String;

    /// A positive number, or a ratio `N/D` or `N:D`; 23.976, 29.97 and their like are the ratios
    /// over 1001 that they stand for.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let bad = || format!("'{text}' is not a frame rate (as 25, 29.97 or 30000/1001)");
        if let Some((n, d)) = text.split_once(['/', ':']) {
            let (num, den) = (n.parse().map_err(|_| bad())?, d.parse().map_err(|_| bad())?);
            return if num > 0 && den > 0 {
                Ok(Ratio { num, den })
            } else {
                Err(bad())
            };
        }
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let den = 10u32
            .checked_pow(decimals.len() as u32)
            .filter(|d| *d <= 1_000_000)
            .ok_or_else(bad)?;
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if text.is_empty() || !digits(whole) || !digits(decimals) {
            return Err(bad());
        }
        let num: u32 = format!("{whole}{decimals}").parse().map_err(|_| bad())?;
        if num == 0 || num / den >= 100_000 {
            return Err(bad());
        }
        if num.is_multiple_of(den) {
            return Ok(Ratio {
                num: num / den,
                den: 1,
            });
        }
        let (n, d, ceil) = (u64::from(num), u64::from(den), num.div_ceil(den));
        // within 0.005 of a rate over 1001
        let near = (n * 1001).abs_diff(u64::from(ceil) * 1000 * d) * 200 < 1001 * d;
        if near {
            Ok(Ratio {
                num: ceil * 1000,
                den: 1001,
            })
        } else {
            Ok(Ratio { num, den })
        }
    }
}

impl std::fmt::Display for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}/{}", self.num, self.den)
    }
}

/// Everything about a sequence except its samples and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoInfo {
    /// Width in luma samples.
    pub width: usize,
    /// Height in luma samples.
    pub height: usize,
    /// Sample layout and depth.
    pub format: PixelFormat,
    /// Frames per second.
    pub fps: Ratio,
    /// Sample aspect ratio; 0/0 = unknown.
    pub sar: Ratio,
    /// Colour description.
    pub color: ColorInfo,
}

impl VideoInfo {
    /// Pictures of which no more is known: no rate, no aspect ratio, no colour description.
    pub fn new(width: usize, height: usize, format: PixelFormat) -> Self {
        let unknown = Ratio { num: 0, den: 0 };
        VideoInfo {
            width,
            height,
            format,
            fps: unknown,
            sar: unknown,
            color: ColorInfo::UNSPECIFIED,
        }
    }

    /// What two descriptions of equal geometry say differently, where both say something of it;
    /// `None` if nothing.
    pub fn differences(&self, other: &Self) -> Option<String> {
        // within a thousandth, as containers round
        let differ = |a: Ratio, b: Ratio| {
            let cross = |x: Ratio, y: Ratio| u64::from(x.num) * u64::from(y.den);
            let known = a.num > 0 && a.den > 0 && b.num > 0 && b.den > 0;
            known && cross(a, b).abs_diff(cross(b, a)) > cross(a, b) / 1000
        };
        let named =
            |what: &str, a: Ratio, b: Ratio| differ(a, b).then(|| format!("{what} ({a} and {b})"));
        let all = [
            self.color.differences(&other.color),
            named("frame rate", self.fps, other.fps),
            named("sample aspect ratio", self.sar, other.sar),
        ];
        let all: Vec<String> = all.into_iter().flatten().collect();
        (!all.is_empty()).then(|| all.join(", "))
    }
}

/// One plane of samples, rows from top to bottom without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plane {
    /// Samples per row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` samples.
    pub data: Vec<u16>,
}

impl Plane {
    /// A plane of zeros.
    pub fn new(width: usize, height: usize) -> Self {
        Plane {
            width,
            height,
            data: vec![0; width * height],
        }
    }

    /// Row `y`.
    pub fn row(&self, y: usize) -> &[u16] {
        &self.data[y * self.width..][..self.width]
    }
}

/// One picture: 1 to 4 planes in the order of its [`PixelFormat`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The planes.
    pub planes: Vec<Plane>,
}

impl Frame {
    /// A picture of zeros.
    pub fn new(format: PixelFormat, width: usize, height: usize) -> Self {
        let planes = (0..format.chroma.planes())
            .map(|p| {
                let (w, h) = format.plane_size(p, width, height);
                Plane::new(w, h)
            })
            .collect();
        Frame { planes }
    }

    /// Makes colours no larger than alpha, the last plane.
    pub fn clip_to_alpha(&mut self) {
        if let Some((alpha, colours)) = self.planes.split_last_mut() {
            for plane in colours {
                let samples = plane.data.iter_mut().zip(&alpha.data);
                samples.for_each(|(v, a)| *v = (*v).min(*a));
            }
        }
    }

    /// The samples as raw planar bytes: 8 bit, or 16 bit little endian.
    pub fn write_raw(&self, format: PixelFormat, out: &mut Vec<u8>) {
        out.clear();
        for p in &self.planes {
            if format.bytes_per_sample() == 1 {
                out.extend(p.data.iter().map(|&v| v as u8));
            } else {
                out.extend(p.data.iter().flat_map(|v| v.to_le_bytes()));
            }
        }
    }

    /// The reverse of [`Frame::write_raw`]. `raw` holds exactly one frame; samples above the
    /// format's largest value are an [`Error::Format`].
    pub fn read_raw(format: PixelFormat, width: usize, height: usize, raw: &[u8]) -> Result<Self> {
        let mut frame = Frame::new(format, width, height);
        let mut at = 0;
        for p in &mut frame.planes {
            let n = p.data.len() * format.bytes_per_sample();
            let src = raw.get(at..at + n).ok_or_else(|| {
                Error::format(
                    raw.len() as u64,
                    format!(
                        "frame of {} bytes, expected {}",
                        raw.len(),
                        format.frame_bytes(width, height)
                    ),
                )
            })?;
            if format.bytes_per_sample() == 1 {
                p.data
                    .iter_mut()
                    .zip(src)
                    .for_each(|(d, &s)| *d = u16::from(s));
            } else {
                p.data
                    .iter_mut()
                    .zip(src.chunks_exact(2))
                    .for_each(|(d, s)| *d = u16::from_le_bytes([s[0], s[1]]));
                if let Some(i) = p.data.iter().position(|&v| v > format.max_value()) {
                    return Err(Error::format(
                        (at + 2 * i) as u64,
                        format!(
                            "sample value {} (allowed 0..={})",
                            p.data[i],
                            format.max_value()
                        ),
                    ));
                }
            }
            at += n;
        }
        Ok(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sitings_stand_at_their_codes() {
        for (code, s) in Siting::ALL.into_iter().enumerate() {
            assert_eq!(s as usize, code, "{s:?}");
        }
    }

    #[test]
    fn rates() {
        for (text, num, den) in [
            ("25", 25, 1),
            ("29.97", 30000, 1001),
            ("59.940", 60000, 1001),
            ("12.5", 125, 10),
            ("50.0", 50, 1),
            ("30000/1001", 30000, 1001),
            ("24:1", 24, 1),
            ("0.5", 5, 10),
        ] {
            assert_eq!(text.parse(), Ok(Ratio { num, den }));
        }
        for bad in [
            "",
            ".",
            "0",
            "-1",
            "1e3",
            "25/0",
            "a",
            "25fps",
            "4294967296/1",
            "1000000",
            "1.0000000",
        ] {
            assert!(bad.parse::<Ratio>().is_err(), "{bad}");
        }
    }
}
