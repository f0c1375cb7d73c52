//! YUV to RGB of 8 bits, for scoring and for pictures on screen, and of 16. Nothing here takes part
//! in decoding.
//!
//! Chroma is replicated (nearest sample), arithmetic is `f32` (for 16 bits `f64`), results are
//! rounded half to even and clipped to 0..=255 (0..=65535). Limited range is expanded to full
//! range.
//!
//! ffmpeg's default conversion is about one level darker, which does little harm as long as both
//! sides of a comparison go through it, and costs tenths of a dB where only one does. Its swscale
//! with `accurate_rnd+full_chroma_int+bitexact+neighbor` agrees with this one; docs/anchors.md has
//! the figures.

use std::ops::{Add, Sub};

use crate::error::{Error, Result};
use crate::frame::{Chroma, Frame, Plane, Range, VideoInfo};

/// One RGB picture, interleaved; of 8 bits unless another type of samples is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RgbPicture<S = u8> {
    /// Samples per row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` triples R, G, B.
    pub data: Vec<S>,
}

/// A sample of an RGB picture, and the numbers it is computed with.
trait Sample: Copy + Default {
    type Real: Copy + Add<Output = Self::Real> + Sub<Output = Self::Real>;
    /// What a luma or chroma sample of value `v` adds, in units of 1/255.
    fn part(v: u16, zero: f64, gain: f64, weight: f64) -> Self::Real;
    /// The nearest sample.
    fn nearest(sum: Self::Real) -> Self;
}

impl Sample for u8 {
    type Real = f32;

    fn part(v: u16, zero: f64, gain: f64, weight: f64) -> f32 {
        weight as f32 * ((f32::from(v) - zero as f32) * gain as f32)
    }

    fn nearest(sum: f32) -> u8 {
        sum.round_ties_even().clamp(0.0, 255.0) as u8
    }
}

impl Sample for u16 {
    type Real = f64;

    fn part(v: u16, zero: f64, gain: f64, weight: f64) -> f64 {
        257.0 * weight * ((f64::from(v) - zero) * gain)
    }

    fn nearest(sum: f64) -> u16 {
        sum.round_ties_even().clamp(0.0, 65535.0) as u16
    }
}

/// The conversion that fits one sequence: tables of every sample value's contribution.
#[derive(Clone, Debug)]
pub struct ToRgb {
    info: VideoInfo,
    name: &'static str,
    to8: Tables<u8>,
    to16: Tables<u16>,
}

#[derive(Clone, Debug)]
struct Tables<S: Sample> {
    y: Vec<S::Real>,
    cr_r: Vec<S::Real>,
    cb_g: Vec<S::Real>,
    cr_g: Vec<S::Real>,
    cb_b: Vec<S::Real>,
}

/// Where values are 0 and what a step of them is worth, in units of 1/255.
struct Levels {
    black: f64,
    luma: f64,
    mid: f64,
    chroma: f64,
    max: u16,
}

impl<S: Sample> Tables<S> {
    fn new(l: &Levels, kr: f64, kb: f64) -> Self {
        let kg = 1.0 - kr - kb;
        let table = |zero: f64, gain: f64, weight: f64| {
            (0..=l.max)
                .map(|v| S::part(v, zero, gain, weight))
                .collect()
        };
        Tables {
            y: table(l.black, l.luma, 1.0),
            cr_r: table(l.mid, l.chroma, 2.0 * (1.0 - kr)),
            cb_g: table(l.mid, l.chroma, -2.0 * (1.0 - kb) * kb / kg),
            cr_g: table(l.mid, l.chroma, 2.0 * (1.0 - kr) * kr / kg),
            cb_b: table(l.mid, l.chroma, 2.0 * (1.0 - kb)),
        }
    }
}

impl ToRgb {
    /// Chooses matrix and range from the colour description: code 1 is BT.709, 9 and 10 BT.2020, 7
    /// SMPTE 240M, 4 FCC; 5, 6 and whatever is unspecified BT.601. Unspecified range is limited for
    /// YUV. RGB and gray samples are taken as they are.
    pub fn new(info: &VideoInfo) -> Self {
        let max = f64::from(info.format.max_value());
        let direct = !matches!(info.format.chroma, Chroma::Yuv420 | Chroma::Yuv444)
            || info.color.matrix == 0;
        let full = direct || info.color.range == Range::Full;
        let (kr, kb, names) = match info.color.matrix {
            1 => (0.2126, 0.0722, ["bt709 limited", "bt709 full"]),
            4 => (0.30, 0.11, ["fcc limited", "fcc full"]),
            7 => (0.212, 0.087, ["smpte240m limited", "smpte240m full"]),
            9 | 10 => (0.2627, 0.0593, ["bt2020 limited", "bt2020 full"]),
            _ => (0.299, 0.114, ["bt601 limited", "bt601 full"]),
        };
        let up = f64::from(1u32 << (info.format.bit_depth - 8));
        let (black, luma, chroma) = if full {
            (0.0, 255.0 / max, 255.0 / max)
        } else {
            (16.0 * up, 255.0 / (219.0 * up), 255.0 / (224.0 * up))
        };
        let levels = Levels {
            black,
            luma,
            mid: 128.0 * up,
            chroma,
            max: info.format.max_value(),
        };
        ToRgb {
            info: *info,
            name: if direct {
                "identity"
            } else {
                names[usize::from(full)]
            },
            to8: Tables::new(&levels, kr, kb),
            to16: Tables::new(&levels, kr, kb),
        }
    }

    /// Matrix and range in use, as in `bt601 limited`; `identity` where the planes are RGB or gray
    /// already.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Converts one picture. A picture of another geometry than the sequence's is an
    /// [`Error::Parameter`].
    pub fn convert(&self, frame: &Frame) -> Result<RgbPicture> {
        self.convert_with(&self.to8, frame)
    }

    /// [`ToRgb::convert`] to 16 bits a sample.
    pub fn convert16(&self, frame: &Frame) -> Result<RgbPicture<u16>> {
        self.convert_with(&self.to16, frame)
    }

    fn convert_with<S: Sample>(&self, t: &Tables<S>, frame: &Frame) -> Result<RgbPicture<S>> {
        check_frame(&self.info, frame)?;
        let (w, h) = (self.info.width, self.info.height);
        let mut data = vec![S::default(); w * h * 3];
        let shift = usize::from(self.info.format.chroma == Chroma::Yuv420);
        for (y, out) in data.chunks_exact_mut((w * 3).max(1)).enumerate() {
            let a = frame.planes[0].row(y);
            match self.name {
                "identity" if self.info.format.chroma.colours() == 1 => {
                    for (o, &v) in out.chunks_exact_mut(3).zip(a) {
                        o.fill(S::nearest(t.y[usize::from(v)]));
                    }
                }
                "identity" => {
                    let (b, r) = (frame.planes[1].row(y), frame.planes[2].row(y));
                    for (x, o) in out.chunks_exact_mut(3).enumerate() {
                        for (o, v) in o.iter_mut().zip([r[x], a[x], b[x]]) {
                            *o = S::nearest(t.y[usize::from(v)]);
                        }
                    }
                }
                _ => {
                    let (u, v) = (
                        frame.planes[1].row(y >> shift),
                        frame.planes[2].row(y >> shift),
                    );
                    for (x, o) in out.chunks_exact_mut(3).enumerate() {
                        let luma = t.y[usize::from(a[x])];
                        let (cb, cr) = (usize::from(u[x >> shift]), usize::from(v[x >> shift]));
                        o[0] = S::nearest(luma + t.cr_r[cr]);
                        o[1] = S::nearest(luma + (t.cb_g[cb] - t.cr_g[cr]));
                        o[2] = S::nearest(luma + t.cb_b[cb]);
                    }
                }
            }
        }
        Ok(RgbPicture {
            width: w,
            height: h,
            data,
        })
    }
}

/// Checks that a picture has the planes and sample range that its sequence announces.
pub fn check_frame(info: &VideoInfo, frame: &Frame) -> Result<()> {
    let want = info.format.chroma.planes();
    if frame.planes.len() != want {
        return Err(Error::Parameter(format!(
            "frame has {} planes, {} has {want}",
            frame.planes.len(),
            info.format.name()
        )));
    }
    let max = info.format.max_value();
    for (p, plane) in frame.planes.iter().enumerate() {
        let (w, h) = info.format.plane_size(p, info.width, info.height);
        if (plane.width, plane.height) != (w, h) || plane.data.len() != w * h {
            return Err(Error::Parameter(format!(
                "plane {p} is {}x{}, expected {w}x{h}",
                plane.width, plane.height
            )));
        }
        if let Some(v) = plane.data.iter().find(|&&v| v > max) {
            return Err(Error::Parameter(format!(
                "plane {p} holds sample value {v} (allowed 0..={max})"
            )));
        }
    }
    if let Some((alpha, colours)) = frame.planes.split_last()
        && info.format.chroma.has_alpha()
    {
        let above = |p: &Plane| p.data.iter().zip(&alpha.data).any(|(v, a)| v > a);
        if let Some(p) = colours.iter().position(above) {
            return Err(Error::Parameter(format!(
                "plane {p} has samples above those of alpha, by which it has to be multiplied"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{ColorInfo, PixelFormat, Ratio};

    fn info(chroma: Chroma, bit_depth: u8, matrix: u8, range: Range) -> VideoInfo {
        VideoInfo {
            fps: Ratio { num: 25, den: 1 },
            color: ColorInfo {
                matrix,
                range,
                ..ColorInfo::UNSPECIFIED
            },
            ..VideoInfo::new(1, 1, PixelFormat { chroma, bit_depth })
        }
    }

    fn rgb(info: &VideoInfo, samples: [u16; 3]) -> [u8; 3] {
        let mut f = Frame::new(info.format, 1, 1);
        for (p, v) in f.planes.iter_mut().zip(samples) {
            p.data[0] = v;
        }
        let d = ToRgb::new(info).convert(&f).unwrap().data;
        [d[0], d[1], d[2]]
    }

    #[test]
    fn black_white_and_primaries() {
        let bt601 = info(Chroma::Yuv420, 8, 2, Range::Unspecified);
        assert_eq!(ToRgb::new(&bt601).name(), "bt601 limited");
        assert_eq!(rgb(&bt601, [16, 128, 128]), [0, 0, 0]);
        assert_eq!(rgb(&bt601, [235, 128, 128]), [255, 255, 255]);
        // Colour-bar red: 1.164383*65 + 1.596027*112 = 254.44; blue: 1.164383*(81-16) +
        // 2.017232*(90-128) < 0.
        assert_eq!(rgb(&bt601, [81, 90, 240]), [254, 0, 0]);
        // Y 100 -> 97.808; Cb 110, Cr 150: R +35.113, G +7.052-17.885, B -36.310.
        assert_eq!(rgb(&bt601, [100, 110, 150]), [133, 87, 61]);
        // BT.709: R +39.440, G +3.838-11.724, B -38.023.
        let bt709 = info(Chroma::Yuv444, 8, 1, Range::Limited);
        assert_eq!(ToRgb::new(&bt709).name(), "bt709 limited");
        assert_eq!(rgb(&bt709, [100, 110, 150]), [137, 90, 60]);
    }

    #[test]
    fn full_range_and_ten_bit() {
        // 100 + 1.402*22 = 130.844; 100 - 0.344136*(-18) - 0.714136*22 = 90.483; 100 + 1.772*(-18)
        // = 68.104.
        let full = info(Chroma::Yuv444, 8, 6, Range::Full);
        assert_eq!(ToRgb::new(&full).name(), "bt601 full");
        assert_eq!(rgb(&full, [100, 110, 150]), [131, 90, 68]);
        assert_eq!(
            rgb(
                &info(Chroma::Yuv420, 10, 2, Range::Limited),
                [400, 440, 600]
            ),
            [133, 87, 61]
        );
        assert_eq!(
            rgb(&info(Chroma::Yuv444, 10, 2, Range::Full), [1023, 512, 512]),
            [255, 255, 255]
        );
    }

    /// All triples of a few values at every layout, matrix and range, against the equations of
    /// ITU-T H.273.
    #[test]
    fn sixteen_bits_are_the_nearest_to_the_equations() {
        let weights = |matrix| match matrix {
            1 => (0.2126, 0.0722),
            9 => (0.2627, 0.0593),
            _ => (0.299, 0.114),
        };
        for (matrix, range, bit_depth) in [1, 9, 6].into_iter().flat_map(|m| {
            [Range::Limited, Range::Full]
                .into_iter()
                .flat_map(move |r| [8, 10].map(|b| (m, r, b)))
        }) {
            let i = info(Chroma::Yuv444, bit_depth, matrix, range);
            let convert = ToRgb::new(&i);
            let (kr, kb) = weights(matrix);
            let unit = f64::from(1u32 << (bit_depth - 8));
            let max = i.format.max_value();
            let (zero, luma, chroma) = if range == Range::Full {
                (0.0, f64::from(max), f64::from(max))
            } else {
                (16.0 * unit, 219.0 * unit, 224.0 * unit)
            };
            let values = [
                0,
                1,
                max / 16,
                max / 7,
                max / 3,
                max / 2,
                max / 2 + 1,
                max - max / 11,
                max - 1,
                max,
            ];
            for (y, cb, cr) in values
                .iter()
                .flat_map(|&y| values.iter().flat_map(move |&u| values.map(|v| (y, u, v))))
            {
                let mut f = Frame::new(i.format, 1, 1);
                (
                    f.planes[0].data[0],
                    f.planes[1].data[0],
                    f.planes[2].data[0],
                ) = (y, cb, cr);
                let got = convert.convert16(&f).unwrap().data;
                let (ey, eb, er) = (
                    (f64::from(y) - zero) / luma,
                    (f64::from(cb) - 128.0 * unit) / chroma,
                    (f64::from(cr) - 128.0 * unit) / chroma,
                );
                let (r, b) = (ey + 2.0 * (1.0 - kr) * er, ey + 2.0 * (1.0 - kb) * eb);
                let g = (ey - kr * r - kb * b) / (1.0 - kr - kb);
                for (got, want) in got.into_iter().zip([r, g, b]) {
                    let want = (want * 65535.0).clamp(0.0, 65535.0);
                    assert!(
                        (f64::from(got) - want).abs() < 0.5 + 1e-6,
                        "{matrix} {range:?} {bit_depth}: {y} {cb} {cr}: {got}, {want}"
                    );
                }
            }
        }
    }

    #[test]
    fn sixteen_bits_of_rgb_and_gray_are_scaled() {
        for chroma in [Chroma::Rgb, Chroma::Gray] {
            let i = info(chroma, 10, 0, Range::Full);
            let convert = ToRgb::new(&i);
            for v in 0..=1023u16 {
                let mut f = Frame::new(i.format, 1, 1);
                f.planes.iter_mut().for_each(|p| p.data[0] = v);
                // half of 1023 is no whole number, so there are no ties
                assert_eq!(
                    convert.convert16(&f).unwrap().data,
                    [((u32::from(v) * 65535 + 511) / 1023) as u16; 3]
                );
            }
        }
    }

    #[test]
    fn rgb_planes_are_g_b_r() {
        let i = info(Chroma::Rgb, 8, 0, Range::Full);
        assert_eq!(ToRgb::new(&i).name(), "identity");
        assert_eq!(rgb(&i, [10, 20, 30]), [30, 10, 20]);
        assert_eq!(
            rgb(&info(Chroma::Gray, 8, 2, Range::Full), [77, 0, 0]),
            [77, 77, 77]
        );
    }

    #[test]
    fn other_geometry_is_refused() {
        let i = info(Chroma::Yuv420, 8, 2, Range::Limited);
        assert!(matches!(
            ToRgb::new(&i).convert(&Frame::new(i.format, 2, 2)),
            Err(Error::Parameter(_))
        ));
        let mut f = Frame::new(i.format, 1, 1);
        f.planes[1].data[0] = 256;
        assert!(matches!(
            ToRgb::new(&i).convert(&f),
            Err(Error::Parameter(_))
        ));
    }
}
