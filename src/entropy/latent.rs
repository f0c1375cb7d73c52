//! Latents of a group to bytes and back (spec section 4.5).

use super::contexts::{Bit, Coder, MAX_MAGNITUDE, ValueModel, magnitude_class};
use super::scaled::{self, Scaled, code_scaled};
use crate::error::{Error, Result};

const CLASSES: usize = 20;

/// Codes `frames` latents of shape `[channels, height, width]`, frame after frame. `temporal`
/// (coded first) predicts each value from the one of the frame before. Reading ignores what
/// `values` and `temporal` hold.
pub fn code_latents<C: Coder>(
    c: &mut C,
    [ch, h, w]: [usize; 3],
    frames: usize,
    temporal: bool,
    values: &mut [i16],
) -> Result<()> {
    let temporal = c.code(&mut Bit::default(), temporal)?;
    let mut model = ValueModel::new(CLASSES);
    let size = ch * h * w;
    // coded values (residuals where predicted) of this frame and the one before
    let (mut now, mut before) = (vec![0i32; size], vec![0i32; size]);
    for t in 0..frames {
        std::mem::swap(&mut now, &mut before);
        for i in 0..size {
            let (x, y) = (i % w, i / w % h);
            let magnitude =
                |there: bool, v: &[i32], j: usize| if there { v[j].unsigned_abs() } else { 0 };
            let sum = 2 * magnitude(t > 0, &before, i)
                + magnitude(x > 0, &now, i.wrapping_sub(1))
                + magnitude(y > 0, &now, i.wrapping_sub(w))
                + 2 * magnitude(i >= h * w, &now, i.wrapping_sub(h * w));
            let prediction = if temporal && t > 0 {
                i32::from(values[(t - 1) * size + i])
            } else {
                0
            };
            let v = &mut values[t * size + i];
            let wanted = if c.reads() {
                0
            } else {
                i32::from(*v) - prediction
            };
            if wanted.abs() > MAX_MAGNITUDE {
                return Err(Error::Unsupported(format!(
                    "latent residual {wanted} (allowed -32767..=32767)"
                )));
            }
            now[i] = model.code(c, magnitude_class(sum, CLASSES), wanted)?;
            *v = i16::try_from(now[i] + prediction)
                .ok()
                .filter(|v| *v != i16::MIN)
                .ok_or_else(|| {
                    Error::format(
                        c.offset(),
                        format!(
                            "latent value {} (allowed -32767..=32767)",
                            now[i] + prediction
                        ),
                    )
                })?;
        }
    }
    Ok(())
}

/// The same for architectures whose latents may be a scaled tensor of shape
/// `[frames, channels, height, width]` (spec section 4.7): a mark, then one or the other.
pub fn code_either<C: Coder>(
    c: &mut C,
    [ch, h, w]: [usize; 3],
    frames: usize,
    temporal: bool,
    tensor: &mut Option<Box<Scaled>>,
    values: &mut [i16],
) -> Result<()> {
    if c.code(&mut Bit::default(), tensor.is_some())? {
        return code_scaled(
            c,
            &mut ValueModel::new(scaled::CLASSES),
            [frames, ch, h, w],
            tensor.get_or_insert_default(),
            values,
        );
    }
    code_latents(c, [ch, h, w], frames, temporal, values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Encoder;

    #[test]
    fn residuals_beyond_the_binarisation_are_refused_when_writing() {
        let mut values = [32767, -32767];
        assert!(code_latents(&mut Encoder::default(), [1, 1, 1], 2, false, &mut values).is_ok());
        assert_eq!(
            code_latents(&mut Encoder::default(), [1, 1, 1], 2, true, &mut values)
                .unwrap_err()
                .exit_code(),
            5
        );
    }
}
