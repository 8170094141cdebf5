//! Operators on hostile operands, and what the standard's vectors leave out. The families of products, convolutions, pools and
//! normalisations share [`run`].

use crate::fault::Result;
use crate::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, ValueInfoProto,
};
use crate::{Data, Model, Tensor};

/// An attribute of integers.
pub(in crate::ops) fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: 7,
        ints: ints.to_vec(),
        ..AttributeProto::default()
    }
}

/// An attribute of one integer.
pub(in crate::ops) fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: 2,
        i,
        ..AttributeProto::default()
    }
}

/// An attribute of text.
pub(in crate::ops) fn text(name: &str, s: &str) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: 3,
        s: s.to_owned().into(),
        ..AttributeProto::default()
    }
}

/// Runs one operator on operands that are known only then.
pub(in crate::ops) fn run(
    op: &str,
    version: i64,
    attribute: Vec<AttributeProto>,
    operands: Vec<Tensor>,
) -> Result<Tensor> {
    let named = |name: String| ValueInfoProto {
        name,
        ..ValueInfoProto::default()
    };
    let names: Vec<String> = (0..operands.len()).map(|i| format!("x{i}")).collect();
    let graph = GraphProto {
        input: names.iter().cloned().map(named).collect(),
        output: vec![named("y".into())],
        node: vec![NodeProto {
            op_type: op.into(),
            input: names,
            output: vec!["y".into()],
            attribute,
            ..NodeProto::default()
        }],
        ..GraphProto::default()
    };
    let model = Model::of(&ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version,
        }],
        graph: Some(graph),
        ..ModelProto::default()
    })?;
    Ok(model.run(operands)?.remove(0))
}

/// Floats that differ.
pub(in crate::ops) fn ramp(shape: &[usize]) -> Tensor {
    let len = shape.iter().product();
    let data = (0..len).map(|i| (i * 7 % 11) as f32 - 4.0).collect();
    Tensor::f32(shape.to_vec(), data)
}

#[test]
fn without_elements() {
    for (a, b, shape) in [
        ([0, 3], [3, 4], [0, 4]),
        ([2, 0], [0, 4], [2, 4]),
        ([2, 3], [3, 0], [2, 0]),
    ] {
        let product = run("MatMul", 13, vec![], vec![ramp(&a), ramp(&b)]).unwrap();
        assert_eq!(product, zeros(&shape));
        let product = run("Gemm", 13, vec![], vec![ramp(&a), ramp(&b)]).unwrap();
        assert_eq!(product.shape, shape);
        let product = run(
            "Einsum",
            12,
            vec![text("equation", "ij,jk")],
            vec![ramp(&a), ramp(&b)],
        );
        assert_eq!(product.unwrap().shape, shape);
    }
}

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::f32(shape.to_vec(), vec![0.0; shape.iter().product()])
}

#[test]
fn refused() {
    let misfits = [
        ("MatMul", vec![ramp(&[2, 3]), ramp(&[2, 3])]),
        ("MatMul", vec![ramp(&[]), ramp(&[2, 3])]),
        ("MatMul", vec![ramp(&[2, 2, 3]), ramp(&[3, 3, 2])]),
        ("Gemm", vec![ramp(&[2, 3]), ramp(&[3, 2]), ramp(&[3])]),
        ("Gemm", vec![ramp(&[2, 3]), ramp(&[3])]),
        ("Det", vec![ramp(&[2, 3])]),
        ("Det", vec![ramp(&[2])]),
    ];
    for (op, operands) in misfits {
        assert!(run(op, 13, vec![], operands).is_err(), "{op}");
    }
    for equation in [
        "ij,jk->ii",
        "ij->k",
        "i.j->ij",
        "......->",
        "ij->i j k",
        "iij->j",
        "ij,",
    ] {
        let given = vec![text("equation", equation)];
        let operands = vec![
            ramp(&[2, 3]);
            equation
                .split("->")
                .next()
                .map_or(1, |l| l.split(',').count())
        ];
        assert!(run("Einsum", 12, given, operands).is_err(), "{equation}");
    }
}

/// One row goes another way than several, and so does a transposed operand.
#[test]
fn one_row() {
    let (a, b) = (ramp(&[1, 37]), ramp(&[37, 19]));
    let one = run("MatMul", 13, vec![], vec![a.clone(), b.clone()]).unwrap();
    let two: Vec<f32> = [a.f32s().unwrap(), a.f32s().unwrap()].concat();
    let two = run(
        "MatMul",
        13,
        vec![],
        vec![Tensor::f32(vec![2, 37], two), b.clone()],
    )
    .unwrap();
    assert_eq!(one.f32s().unwrap(), &two.f32s().unwrap()[19..]);
    let mut turned = Vec::new();
    for j in 0..19 {
        turned.extend((0..37).map(|i| b.f32s().unwrap()[i * 19 + j]));
    }
    let turned = Tensor::f32(vec![19, 37], turned);
    let same = run("Gemm", 13, vec![int("transB", 1)], vec![a, turned]).unwrap();
    assert_eq!(one, same);
}

/// Sums that no 32-bit float holds, over more than one piece.
#[test]
fn long_integer_sums() {
    let k = 3000;
    let a = Tensor::new(vec![1, k], Data::U8(vec![255; k])).unwrap();
    let b = Tensor::new(
        vec![k, 1],
        Data::U8((0..k).map(|i| 255 - (i % 2) as u8).collect()),
    )
    .unwrap();
    let sum = run("MatMulInteger", 10, vec![], vec![a, b]).unwrap();
    assert_eq!(
        sum.data,
        Data::I32(vec![255 * 255 * 1500 + 255 * 254 * 1500])
    );
    let x = Tensor::new(vec![1, 600, 3, 3], Data::U8(vec![255; 5400])).unwrap();
    let w = Tensor::new(vec![1, 600, 3, 3], Data::U8(vec![254; 5400])).unwrap();
    let sum = run("ConvInteger", 10, vec![], vec![x, w]).unwrap();
    assert_eq!(sum.data, Data::I32(vec![255 * 254 * 5400]));
    // A window that is too long even for one channel.
    let x = Tensor::new(vec![1, 2, 400], Data::U8(vec![255; 800])).unwrap();
    let w = Tensor::new(vec![1, 2, 400], Data::U8(vec![253; 800])).unwrap();
    let sum = run("ConvInteger", 10, vec![], vec![x, w]).unwrap();
    assert_eq!(sum.data, Data::I32(vec![255 * 253 * 800]));
}

#[test]
fn integer_factors() {
    let ints = |v: &[i64]| Tensor::i64(vec![1, v.len()], v.to_vec());
    let half = AttributeProto {
        name: "alpha".into(),
        r#type: 1,
        f: 0.5,
        ..AttributeProto::default()
    };
    let operands = vec![ints(&[3]), ints(&[5])];
    assert!(run("Gemm", 13, vec![half.clone()], operands.clone()).is_err());
    let twice = AttributeProto { f: 2.0, ..half };
    let product = run("Gemm", 13, vec![twice], operands).unwrap();
    assert_eq!(product, ints(&[30]));
}
