//! Shares and their intervals. Undefined ones are `None`.

/// `part` ÷ `whole`; undefined for an empty whole.
pub fn rate(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// How many standard errors a 95 % interval reaches to either side.
pub const Z: f64 = 1.959_963_984_540_054;

/// The Wilson 95 % interval of `part` ÷ `whole` (Wilson 1927).
pub fn wilson(part: u64, whole: u64) -> Option<[f64; 2]> {
    let (n, p) = (whole as f64, rate(part, whole)?);
    let z2 = Z * Z / n;
    let center = (p + z2 / 2.0) / (1.0 + z2);
    let half = Z / (1.0 + z2) * (p * (1.0 - p) / n + z2 / (4.0 * n)).sqrt();
    Some([(center - half).max(0.0), (center + half).min(1.0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_equals_published_values() {
        // Newcombe 1998, table I, method 3: 81/263 and 15/148, 0/20, 1/29.
        for (part, whole, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let [a, b] = wilson(part, whole).unwrap();
            assert!((a - low).abs() < 5e-5 && (b - high).abs() < 5e-5, "{part}/{whole}: {a} {b}");
        }
        assert_eq!(wilson(0, 0), None);
        assert_eq!(rate(1, 4), Some(0.25));
    }
}
