use std::f64::consts::PI;

use super::fourier::{Complex, Fourier};
use crate::op::Context;

#[test]
fn all_lengths_are_the_sum_that_they_stand_for() {
    let mut context = Context::new(1 << 40, 1 << 30);
    for n in (1..=64).chain([97, 100, 128, 210, 243, 343, 400, 401, 1009]) {
        let x: Vec<Complex> = (0..n)
            .map(|k| Complex {
                re: ((k * 7 % 13) as f64).sin(),
                im: ((k * 5 % 11) as f64).cos(),
            })
            .collect();
        let mut line = x.clone();
        Fourier::new(n, false, &mut context)
            .unwrap()
            .run(&mut line, &mut context)
            .unwrap();
        for at in [0, n / 3, n - 1] {
            let mut sum = Complex::default();
            for (k, x) in x.iter().enumerate() {
                let angle = -2.0 * PI * ((k * at) % n) as f64 / n as f64;
                let turn = Complex {
                    re: angle.cos(),
                    im: angle.sin(),
                };
                sum = sum + *x * turn;
            }
            let off = sum - line[at];
            assert!(off.re.hypot(off.im) < 1e-9 * n as f64, "{at} of {n}");
        }
        Fourier::new(n, true, &mut context)
            .unwrap()
            .run(&mut line, &mut context)
            .unwrap();
        let far = |(a, b): (&Complex, &Complex)| (a.re - b.re).hypot(a.im - b.im);
        assert!(
            x.iter().zip(&line).map(far).fold(0.0, f64::max) < 1e-12,
            "{n}"
        );
    }
}

#[test]
fn lengths_beyond_all_memory_are_refused() {
    let mut context = Context::new(u64::MAX, 1 << 30);
    assert!(Fourier::new(1 << 40, false, &mut context).is_err());
}
