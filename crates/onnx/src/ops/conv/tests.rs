//! Windows that no vector of the standard has.

use crate::ops::product::tests::{int, ints, ramp, run, text};
use crate::{Data, Tensor};

#[test]
fn hostile() {
    let huge = 1 << 62;
    let large = (1 << 26) - 1;
    let kinds: &[(&str, &[i64])] = &[
        ("pads", &[-1, 0, 0, 0]),
        ("pads", &[huge, huge, huge, huge]),
        ("pads", &[large, large, large, large]),
        ("pads", &[1, 1]),
        ("strides", &[0, 1]),
        ("strides", &[1]),
        ("dilations", &[0, 0]),
        ("dilations", &[huge, 2]),
        ("dilations", &[large, large]),
        ("kernel_shape", &[2, 2]),
        ("kernel_shape", &[-3, -3]),
    ];
    for (name, given) in kinds {
        for op in ["Conv", "ConvTranspose"] {
            let operands = vec![ramp(&[1, 2, 5, 5]), ramp(&[2, 2, 3, 3])];
            let result = run(op, 11, vec![ints(name, given)], operands);
            assert!(result.is_err(), "{op} {name} {given:?}");
        }
    }
    let shapes: &[(&[usize], &[usize])] = &[
        (&[1, 2, 5, 5], &[2, 3, 3, 3]),
        (&[1, 2, 5, 5], &[2, 2, 3]),
        (&[1, 2, 5, 5], &[2, 2, 0, 3]),
        (&[1, 2, 5, 5], &[2, 2, 6, 3]),
        (&[1, 2], &[2, 2]),
        (&[], &[]),
    ];
    for (x, w) in shapes {
        let result = run("Conv", 11, vec![], vec![ramp(x), ramp(w)]);
        assert!(result.is_err(), "{x:?} {w:?}");
    }
    for group in [0, -1, 3, huge] {
        let operands = vec![ramp(&[1, 2, 5, 5]), ramp(&[2, 2, 3, 3])];
        assert!(run("Conv", 11, vec![int("group", group)], operands.clone()).is_err());
        assert!(run("ConvTranspose", 11, vec![int("group", group)], operands).is_err());
    }
}

#[test]
fn far_apart() {
    // A stride much longer than the image: one output, wherever the kernel for depthwise convolutions would spread it to.
    for (groups, weights) in [(2, [2, 1, 1, 1]), (1, [2, 2, 1, 1])] {
        let given = vec![
            ints("strides", &[(1 << 26) - 1, (1 << 26) - 1]),
            int("group", groups),
        ];
        let y = run("Conv", 11, given, vec![ramp(&[1, 2, 5, 5]), ramp(&weights)]).unwrap();
        assert_eq!(y.shape, [1, 2, 1, 1]);
    }
}

#[test]
fn without_elements() {
    let y = run(
        "Conv",
        11,
        vec![],
        vec![ramp(&[0, 2, 5, 5]), ramp(&[3, 2, 3, 3])],
    )
    .unwrap();
    assert_eq!(y.shape, [0, 3, 3, 3]);
    let y = run(
        "Conv",
        11,
        vec![],
        vec![ramp(&[1, 2, 5, 5]), ramp(&[0, 2, 3, 3])],
    )
    .unwrap();
    assert_eq!(y.shape, [1, 0, 3, 3]);
    // Of no channels, only the bias is left.
    let bias = Tensor::f32(vec![1], vec![2.5]);
    let operands = vec![ramp(&[1, 0, 2, 2]), ramp(&[1, 0, 1, 1]), bias];
    let y = run("Conv", 11, vec![], operands).unwrap();
    assert_eq!(y, Tensor::f32(vec![1, 1, 2, 2], vec![2.5; 4]));
}

/// An image of three axes is taken otherwise than one of two.
#[test]
fn depth() {
    let (x, w) = (ramp(&[2, 4, 7, 9]), ramp(&[6, 2, 3, 2]));
    let bias = ramp(&[6]);
    let flat = vec![
        int("group", 2),
        ints("pads", &[1, 0, 2, 1]),
        ints("strides", &[2, 1]),
    ];
    let deep = vec![
        int("group", 2),
        ints("pads", &[0, 1, 0, 0, 2, 1]),
        ints("strides", &[1, 2, 1]),
    ];
    let want = run("Conv", 11, flat, vec![x.clone(), w.clone(), bias.clone()]).unwrap();
    let x = x.reshaped(vec![2, 4, 1, 7, 9]).unwrap();
    let w = w.reshaped(vec![6, 2, 1, 3, 2]).unwrap();
    let got = run("Conv", 11, deep, vec![x, w, bias]).unwrap();
    assert_eq!(got.data, want.data);
}

#[test]
fn halves() {
    let half = |x: &Tensor| {
        let data = x.f32s().unwrap().iter().map(|&x| half::f16::from_f32(x));
        Tensor::new(x.shape.clone(), Data::F16(data.collect())).unwrap()
    };
    let (x, w) = (ramp(&[1, 2, 4, 4]), ramp(&[3, 2, 2, 2]));
    let want = run("Conv", 11, vec![], vec![x.clone(), w.clone()]).unwrap();
    let got = run("Conv", 11, vec![], vec![half(&x), half(&w)]).unwrap();
    assert_eq!(got, half(&want));
    assert!(run("Conv", 11, vec![], vec![half(&x), w]).is_err());
}

#[test]
fn pools() {
    let x = || vec![ramp(&[1, 1, 4, 4])];
    let pool = |op: &str, given| run(op, 19, given, x());
    for op in ["MaxPool", "AveragePool", "LpPool"] {
        assert!(pool(op, vec![]).is_err());
        assert!(pool(op, vec![ints("kernel_shape", &[0, 1])]).is_err());
        assert!(pool(op, vec![ints("kernel_shape", &[5, 1])]).is_err());
        assert!(pool(op, vec![ints("kernel_shape", &[1 << 40, 1 << 40])]).is_err());
        // Padding and auto_pad exclude each other.
        let both = vec![
            ints("kernel_shape", &[2, 2]),
            ints("pads", &[1, 1, 1, 1]),
            text("auto_pad", "SAME_UPPER"),
        ];
        assert!(pool(op, both).is_err());
    }
    // Windows of nothing but padding.
    let blind = vec![ints("kernel_shape", &[2, 2]), ints("pads", &[2, 2, 2, 2])];
    assert!(pool("MaxPool", blind.clone()).is_err());
    assert!(pool("AveragePool", blind).is_err());
    let empty = run(
        "MaxPool",
        12,
        vec![ints("kernel_shape", &[2, 2])],
        vec![ramp(&[0, 3, 4, 4])],
    );
    assert_eq!(empty.unwrap().shape, [0, 3, 3, 3]);
    let index = Tensor::i64(vec![1, 1, 1, 1], vec![99]);
    let given = vec![ints("kernel_shape", &[2, 2])];
    assert!(run("MaxUnpool", 11, given, vec![ramp(&[1, 1, 1, 1]), index]).is_err());
    assert!(run("GlobalAveragePool", 13, vec![], vec![ramp(&[1, 2, 0, 3])]).is_err());
}

#[test]
fn normalisations() {
    let one = |n: usize| Tensor::f32(vec![n], vec![1.0; n]);
    for shape in [&[0, 2, 3][..], &[1, 2, 0], &[1, 2]] {
        let operands = vec![ramp(shape), one(2), one(2), one(2), one(2)];
        let y = run("BatchNormalization", 15, vec![], operands).unwrap();
        assert_eq!(y.shape, shape);
        let operands = vec![ramp(shape), one(2), one(2)];
        let y = run("InstanceNormalization", 6 + 1, vec![], operands).unwrap();
        assert_eq!(y.shape, shape);
    }
    let y = run(
        "LayerNormalization",
        17,
        vec![],
        vec![ramp(&[2, 0]), ramp(&[0])],
    )
    .unwrap();
    assert_eq!(y.shape, [2, 0]);
    assert!(
        run(
            "LayerNormalization",
            17,
            vec![],
            vec![ramp(&[2, 3]), ramp(&[2])]
        )
        .is_err()
    );
    assert!(run("LRN", 13, vec![int("size", 0)], vec![ramp(&[1, 2, 3])]).is_err());
    let operands = || vec![ramp(&[1, 4, 3]), one(4), one(4)];
    for groups in [0, 3, -1] {
        let given = vec![int("num_groups", groups)];
        assert!(run("GroupNormalization", 21, given, operands()).is_err());
    }
    // A scale that differs from row to row.
    let scale = Tensor::f32(vec![2, 1], vec![1.0, -2.0]);
    let y = run("LayerNormalization", 17, vec![], vec![ramp(&[2, 3]), scale]).unwrap();
    let plain = run(
        "LayerNormalization",
        17,
        vec![],
        vec![ramp(&[2, 3]), one(3)],
    )
    .unwrap();
    let mut want = plain.f32s().unwrap().to_vec();
    want[3..].iter_mut().for_each(|x| *x *= -2.0);
    assert_eq!(y.f32s().unwrap(), want);
}
