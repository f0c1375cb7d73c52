//! PNG files: 8 bits a sample, 16 for deeper pictures, with the colour description that the third
//! edition of PNG has chunks for.

use png::chunk::ChunkType;
use png::{BitDepth, ColorType, EncodingError, PixelDimensions, Unit};

use nvc::color::ToRgb;
use nvc::error::{Error, Result};
use nvc::frame::{ColorInfo, Frame, Range, VideoInfo};

/// One picture as a file named `name` in errors. Pictures of 10 bits have samples
/// `v * 65535 / 1023`, rounded. Colours that are multiplied by alpha are divided by it: multiplied
/// again they are the same.
pub fn pack(name: &str, frame: &Frame, info: &VideoInfo, convert: &ToRgb) -> Result<Vec<u8>> {
    let chroma = info.format.chroma;
    let gray = chroma.colours() == 1;
    let deep = info.format.bit_depth > 8;
    let max = u32::from(info.format.max_value());
    // the maximum is odd, so that nothing lies halfway
    let scaled = |v: u16| (((u32::from(v) * 65535 + max / 2) / max) as u16).to_be_bytes();
    let data = match (gray, deep) {
        _ if chroma.has_alpha() => {
            let order: &[usize] = if gray { &[0] } else { &[2, 0, 1] };
            with_alpha(frame, order, info)
        }
        (true, false) => frame.planes[0].data.iter().map(|&v| v as u8).collect(),
        (true, true) => frame.planes[0]
            .data
            .iter()
            .flat_map(|&v| scaled(v))
            .collect(),
        (false, false) => convert.convert(frame)?.data,
        (false, true) => convert
            .convert16(frame)?
            .data
            .into_iter()
            .flat_map(u16::to_be_bytes)
            .collect(),
    };
    // samples that are not converted keep their range
    let full = !(convert.name() == "identity" && info.color.range == Range::Limited);
    let (w, h) = (info.width as u32, info.height as u32);
    let write = || {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, w, h);
        encoder.set_color(match (gray, chroma.has_alpha()) {
            (true, false) => ColorType::Grayscale,
            (true, true) => ColorType::GrayscaleAlpha,
            (false, false) => ColorType::Rgb,
            (false, true) => ColorType::Rgba,
        });
        encoder.set_depth(if deep {
            BitDepth::Sixteen
        } else {
            BitDepth::Eight
        });
        let sar = info.sar;
        if sar.num != sar.den && sar.num > 0 && sar.den > 0 {
            encoder.set_pixel_dims(Some(PixelDimensions {
                xppu: sar.den,
                yppu: sar.num,
                unit: Unit::Unspecified,
            }));
        }
        encoder.set_compression(png::Compression::Fast);
        encoder.set_filter(png::Filter::Adaptive);
        let mut writer = encoder.write_header()?;
        for (name, payload) in chunks(&info.color, full) {
            writer.write_chunk(ChunkType(name), &payload)?;
        }
        writer.write_image_data(&data)?;
        writer.finish()?;
        Ok(bytes)
    };
    write().map_err(|e: EncodingError| {
        Error::Unsupported(format!("{name}: packing a {w}x{h} picture: {e}"))
    })
}

/// Pixels of the planes `order` divided by alpha, and alpha, which is the last plane.
fn with_alpha(frame: &Frame, order: &[usize], info: &VideoInfo) -> Vec<u8> {
    let Some((alpha, _)) = frame.planes.split_last() else {
        return Vec::new();
    };
    let max = u64::from(info.format.max_value());
    let deep = info.format.bit_depth > 8;
    let most = if deep { 65535 } else { 255 };
    let mut out = Vec::with_capacity(alpha.data.len() * (order.len() + 1) * 2);
    let mut put = |v: u64| match deep {
        true => out.extend((v as u16).to_be_bytes()),
        false => out.push(v as u8),
    };
    for (i, &a) in alpha.data.iter().enumerate() {
        let a = u64::from(a);
        for &p in order {
            let v = u64::from(frame.planes[p].data[i]).min(a);
            put((v * most + a / 2).checked_div(a).unwrap_or(0));
        }
        put((a * most + max / 2) / max);
    }
    out
}

/// Names and payloads of the chunks that describe the colours.
fn chunks(color: &ColorInfo, full: bool) -> Vec<([u8; 4], Vec<u8>)> {
    let mut out = Vec::new();
    match (color.primaries, color.transfer) {
        (2, 2) => {}
        // what every viewer knows; 0 is the perceptual intent
        (1, 13) if full => out.push((*b"sRGB", vec![0])),
        // 0: RGB
        (primaries, transfer) => out.push((*b"cICP", vec![primaries, transfer, 0, full.into()])),
    }
    if let Some(m) = color.light.and_then(|l| l.mastering) {
        let mut p: Vec<u8> = [m.red, m.green, m.blue, m.white]
            .into_iter()
            .flatten()
            .flat_map(u16::to_be_bytes)
            .collect();
        p.extend(
            [m.max_luminance, m.min_luminance]
                .into_iter()
                .flat_map(u32::to_be_bytes),
        );
        out.push((*b"mDCV", p));
    }
    if let Some(c) = color.light.and_then(|l| l.content) {
        // units of 0.0001 cd/m2
        out.push((
            *b"cLLI",
            [c.max_cll, c.max_fall]
                .into_iter()
                .flat_map(|v| (u32::from(v) * 10_000).to_be_bytes())
                .collect(),
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support;
    use nvc::frame::{Chroma, ContentLight, LightInfo, Mastering, Ratio, Siting};

    const PQ: ColorInfo = ColorInfo {
        primaries: 9,
        transfer: 16,
        matrix: 9,
        range: Range::Limited,
        siting: Siting::TopLeft,
        light: None,
    };

    fn info(chroma: Chroma, bit_depth: u8, color: ColorInfo) -> VideoInfo {
        VideoInfo {
            sar: Ratio { num: 0, den: 0 },
            color,
            ..support::info(chroma, bit_depth, 5, 3)
        }
    }

    /// Samples from end to end of the range.
    fn frame(info: &VideoInfo) -> Frame {
        let mut f = Frame::new(info.format, info.width, info.height);
        let max = u32::from(info.format.max_value());
        for (p, plane) in f.planes.iter_mut().enumerate() {
            plane
                .data
                .iter_mut()
                .enumerate()
                .for_each(|(k, v)| *v = ((k + 4 * p) as u32 * max / 14 % (max + 1)) as u16);
        }
        f
    }

    /// Bytes of chunk `name`.
    fn chunk<'a>(file: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
        let mut at = 8;
        while at < file.len() {
            let length = u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
            if &file[at + 4..at + 8] == name {
                return Some(&file[at + 8..at + 8 + length]);
            }
            at += length + 12;
        }
        None
    }

    fn packed(info: &VideoInfo) -> Vec<u8> {
        pack("x.png", &frame(info), info, &ToRgb::new(info)).unwrap()
    }

    /// Depth, layout and samples.
    fn unpacked(file: &[u8]) -> (BitDepth, ColorType, Vec<u16>, png::Info<'static>) {
        let mut r = png::Decoder::new(std::io::Cursor::new(file))
            .read_info()
            .unwrap();
        let mut data = vec![0; r.output_buffer_size().unwrap()];
        let o = r.next_frame(&mut data).unwrap();
        assert_eq!((o.width, o.height, o.buffer_size()), (5, 3, data.len()));
        let samples = match o.bit_depth {
            BitDepth::Sixteen => data
                .chunks(2)
                .map(|b| u16::from_be_bytes([b[0], b[1]]))
                .collect(),
            _ => data.iter().map(|&v| v.into()).collect(),
        };
        (o.bit_depth, o.color_type, samples, r.info().clone())
    }

    #[test]
    fn the_shape_of_pixels_is_kept() {
        for (num, den, kept) in [(2, 1, true), (10, 11, true), (1, 1, false), (0, 0, false)] {
            let i = VideoInfo {
                sar: Ratio { num, den },
                ..info(Chroma::Gray, 8, PQ)
            };
            // pixels to a unit are the more the narrower they are
            let read = unpacked(&packed(&i)).3.pixel_dims;
            let read = read.map(|d| (d.yppu, d.xppu));
            assert_eq!(read, kept.then_some((num, den)));
        }
    }

    #[test]
    fn ten_bits_of_yuv_are_sixteen_of_rgb() {
        let i = info(Chroma::Yuv420, 10, PQ);
        let f = frame(&i);
        let (depth, color, samples, _) = unpacked(&packed(&i));
        assert_eq!((depth, color), (BitDepth::Sixteen, ColorType::Rgb));
        for (k, got) in samples.chunks(3).enumerate() {
            let (x, y) = (k % 5, k / 5);
            let at = |p: usize, x: usize, y: usize| f64::from(f.planes[p].row(y)[x]);
            let luma = (at(0, x, y) - 64.0) / 876.0;
            let (cb, cr) = (
                (at(1, x / 2, y / 2) - 512.0) / 896.0,
                (at(2, x / 2, y / 2) - 512.0) / 896.0,
            );
            let (r, b) = (luma + 1.4746 * cr, luma + 1.8814 * cb);
            let g = (luma - 0.2627 * r - 0.0593 * b) / 0.678;
            for (&got, want) in got.iter().zip([r, g, b]) {
                assert!(
                    (f64::from(got) - (want * 65535.0).clamp(0.0, 65535.0)).abs() < 0.51,
                    "pixel {k}: {got:?}, {want}"
                );
            }
        }
    }

    #[test]
    fn alpha_comes_back_as_it_was() {
        use crate::picture::decode;
        let most = |bit_depth: u8| (1usize << bit_depth) - 1;
        // all pairs of 8 bits, some of 10
        for (chroma, bit_depth, step) in [
            (Chroma::Rgba, 8, 1),
            (Chroma::GrayAlpha, 8, 1),
            (Chroma::Rgba, 10, 11),
            (Chroma::GrayAlpha, 10, 11),
        ] {
            let side = most(bit_depth) / step + 1;
            let i = support::info(chroma, bit_depth, side, side);
            let mut f = Frame::new(i.format, side, side);
            for (p, plane) in f.planes.iter_mut().enumerate() {
                for (k, v) in plane.data.iter_mut().enumerate() {
                    let alpha = k / side * step;
                    *v = match p == chroma.colours() {
                        true => alpha,
                        false => (k % side * step).abs_diff(p * 100).min(alpha),
                    } as u16;
                }
            }
            let file = pack("x.png", &f, &i, &ToRgb::new(&i)).unwrap();
            let back = decode(&file, "x.png").unwrap();
            assert_eq!((back.format, back.size), (i.format, (side, side)));
            assert!(back.frame == f, "{} is not as it was", i.format.name());
        }
    }

    #[test]
    fn other_layouts_keep_their_samples() {
        for (chroma, bit_depth, wanted) in [
            (Chroma::Gray, 8, (BitDepth::Eight, ColorType::Grayscale)),
            (Chroma::Gray, 10, (BitDepth::Sixteen, ColorType::Grayscale)),
            (Chroma::Rgb, 8, (BitDepth::Eight, ColorType::Rgb)),
            (Chroma::Rgb, 10, (BitDepth::Sixteen, ColorType::Rgb)),
        ] {
            let i = info(chroma, bit_depth, ColorInfo::UNSPECIFIED);
            let f = frame(&i);
            let (depth, color, samples, _) = unpacked(&packed(&i));
            assert_eq!((depth, color), wanted);
            let scale = if bit_depth == 8 {
                1.0
            } else {
                65535.0 / 1023.0
            };
            let order: &[usize] = if chroma == Chroma::Gray {
                &[0]
            } else {
                &[2, 0, 1]
            };
            let planes = (0..15).flat_map(|k| order.iter().map(move |&p| (p, k)));
            let wanted: Vec<u16> = planes
                .map(|(p, k)| (f64::from(f.planes[p].data[k]) * scale).round() as u16)
                .collect();
            assert_eq!(samples, wanted, "{}", i.format.name());
        }
        let i = info(Chroma::Yuv420, 8, PQ);
        let wanted = ToRgb::new(&i).convert(&frame(&i)).unwrap().data;
        assert_eq!(
            unpacked(&packed(&i)).2,
            wanted.into_iter().map(u16::from).collect::<Vec<_>>()
        );
    }

    #[test]
    fn colours_are_named() {
        let srgb = ColorInfo {
            primaries: 1,
            transfer: 13,
            range: Range::Full,
            ..ColorInfo::UNSPECIFIED
        };
        let half = ColorInfo {
            primaries: 2,
            transfer: 1,
            ..ColorInfo::UNSPECIFIED
        };
        for (chroma, color, cicp, is_srgb) in [
            (Chroma::Yuv420, PQ, Some(&[9, 16, 0, 1]), false),
            (Chroma::Yuv420, half, Some(&[2, 1, 0, 1]), false),
            (Chroma::Rgb, srgb, None, true),
            (
                Chroma::Yuv444,
                ColorInfo {
                    range: Range::Limited,
                    ..srgb
                },
                None,
                true,
            ),
            // not converted, so still limited
            (
                Chroma::Gray,
                ColorInfo {
                    range: Range::Limited,
                    ..srgb
                },
                Some(&[1, 13, 0, 0]),
                false,
            ),
            (Chroma::Gray, PQ, Some(&[9, 16, 0, 0]), false),
            (
                Chroma::Gray,
                ColorInfo {
                    range: Range::Full,
                    ..PQ
                },
                Some(&[9, 16, 0, 1]),
                false,
            ),
            (Chroma::Yuv444, ColorInfo::UNSPECIFIED, None, false),
        ] {
            let file = packed(&info(chroma, 10, color));
            assert_eq!(chunk(&file, b"cICP"), cicp.map(|c| &c[..]), "{color:?}");
            assert_eq!(
                chunk(&file, b"sRGB"),
                is_srgb.then_some(&[0][..]),
                "{color:?}"
            );
            let read = unpacked(&file).3;
            assert_eq!(
                (
                    read.coding_independent_code_points.is_some(),
                    read.srgb.is_some()
                ),
                (cicp.is_some(), is_srgb)
            );
            assert!(
                read.mastering_display_color_volume.is_none() && read.content_light_level.is_none()
            );
        }
    }

    #[test]
    fn light_is_told() {
        let mastering = Mastering {
            green: [13250, 34500],
            blue: [7500, 3000],
            red: [34000, 16000],
            white: [15635, 16450],
            max_luminance: 10_000_000,
            min_luminance: 50,
        };
        let light = LightInfo {
            mastering: Some(mastering),
            content: Some(ContentLight {
                max_cll: 65535,
                max_fall: 400,
            }),
        };
        let file = packed(&info(
            Chroma::Yuv420,
            10,
            ColorInfo {
                light: Some(light),
                ..PQ
            },
        ));
        let read = unpacked(&file).3;
        let m = read.mastering_display_color_volume.unwrap();
        let xy = |p: (png::ScaledFloat, png::ScaledFloat)| [p.0.into_scaled(), p.1.into_scaled()];
        // units of 0.00001
        assert_eq!(xy(m.chromaticities.red), [68000, 32000]);
        assert_eq!(xy(m.chromaticities.green), [26500, 69000]);
        assert_eq!(xy(m.chromaticities.blue), [15000, 6000]);
        assert_eq!(xy(m.chromaticities.white), [31270, 32900]);
        assert_eq!((m.max_luminance, m.min_luminance), (10_000_000, 50));
        let c = read.content_light_level.unwrap();
        assert_eq!(
            (c.max_content_light_level, c.max_frame_average_light_level),
            (655_350_000, 4_000_000)
        );
    }
}
