//! The light packet (spec section 3.8): what a display with another range of brightness wants to
//! know.

use super::fields::{Reader, bundle};
use crate::error::Result;
use crate::frame::{ContentLight, LightInfo, Mastering};

bundle! {
    /// Start of the payload of an `l` packet (spec section 3.8).
    LightHeader {
        mastering: U8(0, 1), "1 if the fields of the mastering display follow";
        content: U8(0, 1), "1 if the fields of the content follow";
    }
}

bundle! {
    /// The mastering display (spec section 3.8).
    MasteringFields {
        green_x: Varint(0, 65535), "chromaticity x of the green primary, units of 0.00002";
        green_y: Varint(0, 65535), "its y";
        blue_x: Varint(0, 65535), "chromaticity x of the blue primary";
        blue_y: Varint(0, 65535), "its y";
        red_x: Varint(0, 65535), "chromaticity x of the red primary";
        red_y: Varint(0, 65535), "its y";
        white_x: Varint(0, 65535), "chromaticity x of the white point";
        white_y: Varint(0, 65535), "its y";
        max_luminance: Varint(0, u32::MAX), "luminance of its white, units of 0.0001 cd/m2";
        min_luminance: Varint(0, u32::MAX), "luminance of its black, units of 0.0001 cd/m2";
    }
}

bundle! {
    /// The content (spec section 3.8).
    ContentFields {
        max_cll: Varint(0, 65535), "light level of the brightest pixel, cd/m2; 0 unknown";
        max_fall: Varint(0, 65535), "average light level of the brightest frame, cd/m2; 0 unknown";
    }
}

/// Reads the payload of an `l` packet; what follows its fields is left to later versions (spec
/// section 3.8).
pub fn read(r: &mut Reader<'_>) -> Result<LightInfo> {
    let header = LightHeader::read(r)?;
    let mut light = LightInfo {
        mastering: None,
        content: None,
    };
    if header.mastering == 1 {
        let f = MasteringFields::read(r)?;
        let at = |x: u32, y: u32| [x as u16, y as u16];
        light.mastering = Some(Mastering {
            green: at(f.green_x, f.green_y),
            blue: at(f.blue_x, f.blue_y),
            red: at(f.red_x, f.red_y),
            white: at(f.white_x, f.white_y),
            max_luminance: f.max_luminance,
            min_luminance: f.min_luminance,
        });
    }
    if header.content == 1 {
        let f = ContentFields::read(r)?;
        light.content = Some(ContentLight {
            max_cll: f.max_cll as u16,
            max_fall: f.max_fall as u16,
        });
    }
    Ok(light)
}

/// The payload of an `l` packet.
pub fn write(light: &LightInfo) -> Vec<u8> {
    let mut out = Vec::new();
    LightHeader {
        mastering: light.mastering.is_some().into(),
        content: light.content.is_some().into(),
    }
    .write(&mut out);
    if let Some(m) = light.mastering {
        let [
            [green_x, green_y],
            [blue_x, blue_y],
            [red_x, red_y],
            [white_x, white_y],
        ] = [m.green, m.blue, m.red, m.white].map(|p| p.map(u32::from));
        let (max_luminance, min_luminance) = (m.max_luminance, m.min_luminance);
        MasteringFields {
            green_x,
            green_y,
            blue_x,
            blue_y,
            red_x,
            red_y,
            white_x,
            white_y,
            max_luminance,
            min_luminance,
        }
        .write(&mut out);
    }
    if let Some(c) = light.content {
        ContentFields {
            max_cll: c.max_cll.into(),
            max_fall: c.max_fall.into(),
        }
        .write(&mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A display with the primaries of DCI-P3, and a bright film.
    const LIGHT: LightInfo = LightInfo {
        mastering: Some(Mastering {
            green: [13250, 34500],
            blue: [7500, 3000],
            red: [34000, 16000],
            white: [15635, 16450],
            max_luminance: 10_000_000,
            min_luminance: 50,
        }),
        content: Some(ContentLight {
            max_cll: 1000,
            max_fall: 400,
        }),
    };

    #[test]
    fn each_part_alone_and_both() {
        for (mastering, content) in [(true, true), (true, false), (false, true), (false, false)] {
            let light = LightInfo {
                mastering: LIGHT.mastering.filter(|_| mastering),
                content: LIGHT.content.filter(|_| content),
            };
            let mut payload = write(&light);
            assert_eq!(payload[..2], [u8::from(mastering), u8::from(content)]);
            payload.extend([1, 0xff]);
            let mut r = Reader::new(&payload, 0);
            assert_eq!(read(&mut r).unwrap(), light);
            assert_eq!(r.remaining(), 2);
        }
    }

    #[test]
    fn every_short_payload_is_refused() {
        let payload = write(&LIGHT);
        for n in 0..payload.len() {
            let e = read(&mut Reader::new(&payload[..n], 100))
                .unwrap_err()
                .to_string();
            assert!(
                e.contains(&format!("{}", 100 + n)) && e.contains("needs 1 bytes"),
                "{n} bytes: {e}"
            );
        }
        let e = read(&mut Reader::new(&[1, 2], 100))
            .unwrap_err()
            .to_string();
        assert!(
            e.contains("content is 2 (allowed 0..=1)") && e.contains("101"),
            "{e}"
        );
    }
}
