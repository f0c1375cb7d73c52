//! The colour that a picture file says it has.

use nvc::frame::{ColorInfo, ContentLight, LightInfo, Mastering, PixelFormat, Range};

/// H.273 code points of sRGB, which unlabelled pictures are.
const SRGB: (u8, u8) = (1, 13);
const UNSPECIFIED: u8 = 2;

/// Gamma of encoding, times 100000, that is taken for sRGB's curve, as programs do.
const GAMMA_SRGB: std::ops::RangeInclusive<u32> = 45_000..=46_000;

/// Known primaries: x and y of red, green, blue and white, times 100000, and their code point
/// (H.273, table 2).
const PRIMARIES: [([u32; 8], u8); 5] = [
    ([64000, 33000, 30000, 60000, 15000, 6000, 31270, 32900], 1),
    ([64000, 33000, 29000, 60000, 15000, 6000, 31270, 32900], 5),
    ([63000, 34000, 31000, 59500, 15500, 7000, 31270, 32900], 6),
    ([70800, 29200, 17000, 79700, 13100, 4600, 31270, 32900], 9),
    ([68000, 32000, 26500, 69000, 15000, 6000, 31270, 32900], 12),
];
/// Differences that are rounding.
const NEAR: u32 = 300;

/// Colour of a picture file, by `png` if it is one; warnings for what a file of ours cannot say. In
/// a PNG, cICP comes before an ICC profile, that before sRGB, that before gamma and primaries (PNG
/// third edition, 4.3).
pub fn of(
    png: Option<&png::Info>,
    icc: Option<&[u8]>,
    format: PixelFormat,
    warnings: &mut Vec<String>,
) -> ColorInfo {
    let matrix = if format.chroma.is_rgb() {
        0
    } else {
        UNSPECIFIED
    };
    let color = |(primaries, transfer): (u8, u8)| ColorInfo {
        primaries,
        transfer,
        matrix,
        range: Range::Full,
        ..ColorInfo::UNSPECIFIED
    };
    let light = png.and_then(light);
    let color = |codes| ColorInfo {
        light,
        ..color(codes)
    };
    if let Some(c) = png.and_then(|i| i.coding_independent_code_points) {
        let range = if c.is_video_full_range_image {
            Range::Full
        } else {
            Range::Limited
        };
        return ColorInfo {
            range,
            ..color((c.color_primaries, c.transfer_function))
        };
    }
    if let Some(profile) = icc {
        if is_srgb(profile) {
            return color(SRGB);
        }
        let name = description(profile).map_or(String::new(), |n| format!(" '{n}'"));
        warnings
            .push(format!("its ICC profile{name} is not kept: the samples are, their meaning is not; convert the picture to sRGB first"));
        return color((UNSPECIFIED, UNSPECIFIED));
    }
    let Some(info) = png else { return color(SRGB) };
    if info.srgb.is_some() {
        return color(SRGB);
    }
    let transfer = match info.gama_chunk.map(|g| g.into_scaled()) {
        None => SRGB.1,
        Some(g) if GAMMA_SRGB.contains(&g) => SRGB.1,
        Some(99_000..=101_000) => 8,
        Some(35_500..=35_900) => 5,
        Some(g) => {
            warnings.push(format!("its gamma (gAMA {g}) is not kept: H.273 has no such curve; convert the picture to sRGB first"));
            UNSPECIFIED
        }
    };
    let primaries = info.chrm_chunk.map_or(SRGB.0, |c| {
        let xy = [c.red, c.green, c.blue, c.white].map(|(x, y)| [x.into_scaled(), y.into_scaled()]).concat();
        let near = |known: &[u32; 8]| known.iter().zip(&xy).all(|(a, b)| a.abs_diff(*b) <= NEAR);
        PRIMARIES.iter().find(|(known, _)| near(known)).map_or_else(
            || {
                warnings.push("its primaries (cHRM) are not kept: H.273 has none like them; convert the picture to sRGB first".into());
                UNSPECIFIED
            },
            |p| p.1,
        )
    });
    color((primaries, transfer))
}

/// Mastering display and light levels of a PNG: mDCV, whose chromaticities are in units of 0.00002,
/// and cLLI, in 0.0001 cd/m2.
fn light(info: &png::Info) -> Option<LightInfo> {
    let point = |(x, y): (png::ScaledFloat, png::ScaledFloat)| {
        [x, y].map(|v| (v.into_scaled() / 2).min(u16::MAX.into()) as u16)
    };
    let mastering = info.mastering_display_color_volume.map(|m| Mastering {
        green: point(m.chromaticities.green),
        blue: point(m.chromaticities.blue),
        red: point(m.chromaticities.red),
        white: point(m.chromaticities.white),
        max_luminance: m.max_luminance,
        min_luminance: m.min_luminance,
    });
    let level = |v: u32| (v / 10_000).min(u16::MAX.into()) as u16;
    let content = info.content_light_level.map(|c| ContentLight {
        max_cll: level(c.max_content_light_level),
        max_fall: level(c.max_frame_average_light_level),
    });
    (mastering.is_some() || content.is_some()).then_some(LightInfo { mastering, content })
}

/// Whether a profile calls itself sRGB.
fn is_srgb(profile: &[u8]) -> bool {
    description(profile).is_some_and(|d| d.contains("sRGB"))
}

/// The description of an ICC profile: tag `desc` as text or as Unicode (ICC.1:2022, 10.13;
/// ICC.1:2001, 6.5.17).
fn description(profile: &[u8]) -> Option<String> {
    let word =
        |at: usize| Some(u32::from_be_bytes(profile.get(at..at + 4)?.try_into().ok()?) as usize);
    let tags = word(128)?.min(100);
    let entry = (0..tags)
        .map(|i| 132 + 12 * i)
        .find(|&e| profile.get(e..e + 4) == Some(b"desc"))?;
    let (at, size) = (word(entry + 4)?, word(entry + 8)?);
    let tag = profile.get(at..at.checked_add(size)?)?;
    let text = match tag.get(..4)? {
        b"desc" => {
            let n = u32::from_be_bytes(tag.get(8..12)?.try_into().ok()?) as usize;
            String::from_utf8_lossy(tag.get(12..12usize.checked_add(n)?)?).into_owned()
        }
        b"mluc" => {
            let field =
                |i: usize| Some(u32::from_be_bytes(tag.get(i..i + 4)?.try_into().ok()?) as usize);
            let (length, start) = (field(20)?, field(24)?);
            let units = tag
                .get(start..start.checked_add(length)?)?
                .chunks_exact(2)
                .map(|c| u16::from_be_bytes([c[0], c[1]]));
            String::from_utf16_lossy(&units.collect::<Vec<_>>())
        }
        _ => return None,
    };
    let text: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
    (!text.is_empty()).then_some(text)
}
