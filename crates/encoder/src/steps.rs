//! Quantisation steps as real numbers; a decoder knows their two integers only.

use nvc::network::QuantStep;

/// A step to and from a real number.
pub trait RealStep {
    /// The step nearest to `x` in ratio, within the range of the format.
    fn nearest(x: f64) -> Self;
    /// `mantissa * 2^-exponent`.
    fn value(self) -> f64;
}

impl RealStep for QuantStep {
    fn nearest(x: f64) -> Self {
        let most = f64::from(QuantStep::MAX_EXPONENT);
        let x = x.clamp(128.0 * (-most).exp2(), 255.0);
        let mut exponent = (7.0 - x.log2()).ceil().clamp(0.0, most) as i32;
        let mut mantissa = (x * f64::from(exponent).exp2()).round() as i32;
        if mantissa > 255 {
            exponent = (exponent - 1).max(0);
            mantissa = (x * f64::from(exponent).exp2()).round() as i32;
        }
        QuantStep {
            mantissa: mantissa.clamp(128, 255) as u8,
            exponent: exponent as u8,
        }
    }

    fn value(self) -> f64 {
        f64::from(self.mantissa) * (-f64::from(self.exponent)).exp2()
    }
}
