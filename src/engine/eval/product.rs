//! Products: their axes are sorted out here, the arithmetic is the kernels'.

use super::layout::transpose;
use crate::engine::array::{Array, Fault, View, count, strides};
use crate::engine::buffer_pool::BufferPool;
use crate::engine::kernels::{self, Matrix};
use crate::engine::op::{Attention, Epilogue, MatMul, Right};

/// An axis that a product runs over: its length, and the strides of what it is an axis of.
#[derive(Clone, Copy, Debug)]
struct Axis<const N: usize> {
    len: usize,
    steps: [usize; N],
}

/// Joins neighbouring axes (outer first) that go on evenly in all operands, and drops those of length 1.
fn merged<const N: usize>(axes: Vec<Axis<N>>) -> Vec<Axis<N>> {
    let mut out: Vec<Axis<N>> = Vec::new();
    for axis in axes.into_iter().filter(|axis| axis.len != 1) {
        match out.last_mut() {
            Some(outer) if (0..N).all(|i| outer.steps[i] == axis.steps[i] * axis.len) => {
                outer.len *= axis.len;
                outer.steps = axis.steps;
            }
            _ => out.push(axis),
        }
    }
    out
}

/// Calls `each` with the operands' offsets for every place along some axes.
fn over<const N: usize>(
    axes: &[Axis<N>],
    mut each: impl FnMut([usize; N]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let places: usize = axes.iter().map(|axis| axis.len).product();
    for place in 0..places {
        let (mut rest, mut at) = (place, [0; N]);
        for axis in axes.iter().rev() {
            for (at, step) in at.iter_mut().zip(axis.steps) {
                *at += rest % axis.len * step;
            }
            rest /= axis.len;
        }
        each(at)?;
    }
    Ok(())
}

fn letters(of: &str, view: &View<'_>) -> Result<Vec<(u8, usize)>, Fault> {
    lettered(of, &view.shape)
}

fn lettered(of: &str, shape: &[usize]) -> Result<Vec<(u8, usize)>, Fault> {
    if of.len() != shape.len() {
        return Err("a product of another number of axes");
    }
    Ok(of.bytes().zip(shape.iter().copied()).collect())
}

/// The axes that a product runs over: those of the left operand, and of a value on the right those it has besides.
pub(crate) fn axes(
    left: &str,
    shape: &[usize],
    right: Option<(&str, &[usize])>,
) -> Result<Vec<(u8, usize)>, Fault> {
    let mut all = lettered(left, shape)?;
    if let Some((right, shape)) = right {
        let besides = lettered(right, shape)?;
        all.extend(
            besides
                .into_iter()
                .filter(|(letter, _)| !left.as_bytes().contains(letter)),
        );
    }
    Ok(all)
}

fn place(of: &[(u8, usize)], letter: u8) -> Option<usize> {
    of.iter().position(|&(l, _)| l == letter)
}

pub(super) fn matmul(
    op: &MatMul,
    left: &View<'_>,
    rest: &[View<'_>],
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    match &op.right {
        Right::Dynamic(letters) => dynamic(op, left, letters, rest, pool),
        Right::Packed { k, n } | Right::Int8 { k, n } => constant(op, left, *k, n, rest, pool),
    }
}

/// The bias and the residual among the operands that follow the weights.
pub(super) fn epilogue<'a>(
    epilogue: &Epilogue,
    scale: f32,
    rest: &[View<'a>],
    columns: usize,
    shape: &[usize],
) -> Result<kernels::Epilogue<'a>, Fault> {
    let mut rest = rest.iter();
    let mut next = |wanted: bool| if wanted { rest.next() } else { None };
    let bias = next(epilogue.bias).map(View::floats).transpose()?;
    if bias.is_some_and(|bias| bias.len() != columns) {
        return Err("a bias of another length");
    }
    let residual = next(epilogue.residual);
    if residual.is_some_and(|residual| *residual.shape != *shape) {
        return Err("a residual of another shape");
    }
    Ok(kernels::Epilogue {
        scale,
        bias,
        residual: residual.map(View::floats).transpose()?,
        activation: epilogue.activation,
    })
}

/// With a weight on the right.
fn constant(
    op: &MatMul,
    left: &View<'_>,
    k: usize,
    n: &[usize],
    rest: &[View<'_>],
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    let own = letters(&op.left, left)?;
    let columns = count(n)?;
    let mut shape = Vec::new();
    for letter in op.result.bytes() {
        shape.push(own[place(&own, letter).ok_or("a product's result has a stray axis")?].1);
    }
    shape.extend(n);
    let steps = strides(&left.shape);
    let out_steps = strides(&shape);
    let outer = op.result.bytes().enumerate().map(|(i, letter)| {
        let at = place(&own, letter).unwrap_or(0);
        Axis {
            len: own[at].1,
            steps: [steps[at], out_steps[i]],
        }
    });
    let mut outer = merged(outer.collect());
    let summed = own
        .iter()
        .zip(&steps)
        .filter(|((letter, _), _)| !op.result.as_bytes().contains(letter));
    let summed = merged(
        summed
            .map(|(&(_, len), &step)| Axis { len, steps: [step] })
            .collect(),
    );
    if summed.iter().map(|axis| axis.len).product::<usize>() != k {
        return Err("a product of matrices that do not fit");
    }
    if summed.len() > 1 {
        // They do not go on evenly: the left operand is put in order first.
        let mut perm: Vec<usize> = op.result.bytes().filter_map(|l| place(&own, l)).collect();
        perm.extend((0..own.len()).filter(|&i| !op.result.as_bytes().contains(&own[i].0)));
        let ordered = transpose(&perm, left, pool)?;
        let op = MatMul {
            left: perm.iter().map(|&i| char::from(own[i].0)).collect(),
            ..op.clone()
        };
        let result = constant(&op, &ordered.view(), k, n, rest, pool);
        pool.give(ordered.data);
        return result;
    }
    let k_step = summed.first().map_or(1, |axis| axis.steps[0]);
    let x = left.floats()?;
    let int8 = matches!(op.right, Right::Int8 { .. });
    let after = &rest[if int8 { 3 } else { 1 }..];
    let epilogue = epilogue(&op.epilogue, op.scale, after, columns, &shape)?;
    let largest = (0..outer.len()).max_by_key(|&i| outer[i].len);
    let rows = largest.map_or(
        Axis {
            len: 1,
            steps: [k, columns],
        },
        |i| outer.remove(i),
    );
    let (shape, mut out) = pool.array(shape)?;
    if int8 {
        let (packed, scales, sums) = (rest[0].bytes()?, rest[1].floats()?, rest[2].sums()?);
        let fit = packed.len() == kernels::packed_len_i8(k, columns)
            && scales.len() == columns
            && sums.len() == columns;
        if !fit {
            return Err("a packed weight of another length");
        }
        over(&outer, |[from, to]| {
            let a = matrix(x, from, rows.steps[0], k_step);
            let epilogue = at(&epilogue, to);
            let scratch = &mut pool.bytes;
            let c = &mut out[to..];
            kernels::gemm_i8(
                rows.len,
                columns,
                k,
                &a,
                packed,
                scales,
                sums,
                c,
                rows.steps[1],
                &epilogue,
                scratch,
            );
            Ok(())
        })?;
    } else {
        let packed = rest[0].floats()?;
        if packed.len() != kernels::packed_len(k, columns) {
            return Err("a packed weight of another length");
        }
        over(&outer, |[from, to]| {
            let a = matrix(x, from, rows.steps[0], k_step);
            let epilogue = at(&epilogue, to);
            let c = &mut out[to..];
            kernels::gemm(
                rows.len,
                columns,
                k,
                &a,
                packed,
                c,
                rows.steps[1],
                &epilogue,
                &mut pool.scratch,
            );
            Ok(())
        })?;
    }
    Ok(Array::f32(shape, out))
}

fn matrix(x: &[f32], from: usize, row_stride: usize, col_stride: usize) -> Matrix<'_> {
    Matrix {
        data: x.get(from..).unwrap_or(&[]),
        row_stride,
        col_stride,
    }
}

/// The epilogue for the part of the result that begins at `to`.
fn at<'a>(epilogue: &kernels::Epilogue<'a>, to: usize) -> kernels::Epilogue<'a> {
    kernels::Epilogue {
        residual: epilogue.residual.map(|residual| &residual[to..]),
        ..*epilogue
    }
}

/// With a value on the right.
fn dynamic(
    op: &MatMul,
    left: &View<'_>,
    right_letters: &str,
    rest: &[View<'_>],
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    let right = &rest[0];
    let (a, b) = (letters(&op.left, left)?, letters(right_letters, right)?);
    let (a_steps, b_steps) = (strides(&left.shape), strides(&right.shape));
    let (mut batch, mut rows, mut columns, mut summed) = (vec![], vec![], vec![], vec![]);
    for &(letter, len) in a
        .iter()
        .chain(b.iter().filter(|(l, _)| place(&a, *l).is_none()))
    {
        let (in_a, in_b) = (place(&a, letter), place(&b, letter));
        if in_a.zip(in_b).is_some_and(|(i, j)| a[i].1 != b[j].1) {
            return Err("a product of arrays that do not fit");
        }
        let axis = (
            letter,
            len,
            in_a.map_or(0, |i| a_steps[i]),
            in_b.map_or(0, |j| b_steps[j]),
        );
        let in_result = op.result.as_bytes().contains(&letter);
        match (in_a.is_some(), in_b.is_some(), in_result) {
            (true, true, true) => batch.push(axis),
            (true, true, false) => summed.push(axis),
            (true, false, true) => rows.push(axis),
            (false, true, true) => columns.push(axis),
            _ => return Err("a product with a stray axis"),
        }
    }
    // In the order of the result.
    let order = |axes: &mut Vec<(u8, usize, usize, usize)>| {
        axes.sort_by_key(|axis| op.result.bytes().position(|l| l == axis.0));
    };
    for axes in [&mut batch, &mut rows, &mut columns] {
        order(axes);
    }
    let own = batch.iter().chain(&rows).chain(&columns);
    let mine: Vec<(u8, usize)> = own.map(|&(letter, len, ..)| (letter, len)).collect();
    if mine.len() != op.result.len() {
        return Err("a product's result has a stray axis");
    }
    let perm: Vec<usize> = op.result.bytes().filter_map(|l| place(&mine, l)).collect();
    let shape: Vec<usize> = perm.iter().map(|&i| mine[i].1).collect();
    let steps = strides(&shape);
    let step = |letter: u8| {
        op.result
            .bytes()
            .position(|l| l == letter)
            .map_or(0, |i| steps[i])
    };
    let n_axes = merged(
        columns
            .iter()
            .map(|&(l, len, _, s)| Axis {
                len,
                steps: [s, step(l)],
            })
            .collect(),
    );
    let m_axes = rows.iter().map(|&(l, len, s, _)| Axis {
        len,
        steps: [s, 0, step(l)],
    });
    let k_axes = merged(
        summed
            .iter()
            .map(|&(_, len, s, t)| Axis { len, steps: [s, t] })
            .collect(),
    );
    let n_even = n_axes.len() <= 1 && n_axes.first().is_none_or(|axis| axis.steps[1] == 1);
    if !n_even || k_axes.len() > 1 {
        return reordered(op, left, right, (&mine, &perm), rest, pool);
    }
    let n = n_axes.first().copied().unwrap_or(Axis {
        len: 1,
        steps: [1, 1],
    });
    let k = k_axes.first().copied().unwrap_or(Axis {
        len: 1,
        steps: [1, 1],
    });
    let outer = batch.iter().map(|&(l, len, s, t)| Axis {
        len,
        steps: [s, t, step(l)],
    });
    let mut outer = merged(outer.collect());
    let mut m_axes = merged(m_axes.collect());
    let largest = (0..m_axes.len()).max_by_key(|&i| m_axes[i].len);
    let m = largest.map_or(
        Axis {
            len: 1,
            steps: [1, 0, n.len],
        },
        |i| m_axes.remove(i),
    );
    outer.extend(m_axes);
    let epilogue = epilogue(&op.epilogue, op.scale, &rest[1..], n.len, &shape)?;
    let (x, y) = (left.floats()?, right.floats()?);
    let (shape, mut out) = pool.array(shape)?;
    over(&outer, |[i, j, to]| {
        let a = matrix(x, i, m.steps[0], k.steps[0]);
        let b = matrix(y, j, k.steps[1], n.steps[0]);
        let epilogue = at(&epilogue, to);
        let c = &mut out[to..];
        kernels::gemm_dynamic(
            m.len,
            n.len,
            k.len,
            &a,
            &b,
            c,
            m.steps[2],
            &epilogue,
            &mut pool.scratch,
        );
        Ok(())
    })?;
    Ok(Array::f32(shape, out))
}

/// A product whose axes are too mixed for one pass: operands and result are put in order around a plain one.
fn reordered(
    op: &MatMul,
    left: &View<'_>,
    right: &View<'_>,
    (mine, perm): (&[(u8, usize)], &[usize]),
    rest: &[View<'_>],
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    let Right::Dynamic(right_letters) = &op.right else {
        return Err("a product of arrays that do not fit");
    };
    if op.epilogue != Epilogue::default() || rest.len() != 1 {
        return Err("a product with too mixed axes");
    }
    let result: String = mine.iter().map(|&(l, _)| char::from(l)).collect();
    let sorted = |letters: &str| {
        // Kept axes in the result's order, then the summed ones by letter.
        let mut letters: Vec<u8> = letters.bytes().collect();
        letters.sort_by_key(|&l| {
            (
                result.bytes().position(|r| r == l).unwrap_or(result.len()),
                l,
            )
        });
        letters
    };
    let ordered = |letters: &str, view: &View<'_>, pool: &mut BufferPool| {
        let order = sorted(letters);
        let perm: Vec<usize> = order
            .iter()
            .filter_map(|&l| letters.bytes().position(|o| o == l))
            .collect();
        let array = transpose(&perm, view, pool)?;
        Ok::<_, Fault>((String::from_utf8_lossy(&order).into_owned(), array))
    };
    let (left_letters, a) = ordered(&op.left, left, pool)?;
    let (right_letters, b) = ordered(right_letters, right, pool)?;
    if left_letters == op.left
        && result == op.result
        && Right::Dynamic(right_letters.clone()) == op.right
    {
        return Err("a product with too mixed axes");
    }
    let plain = MatMul {
        left: left_letters,
        right: Right::Dynamic(right_letters.clone()),
        result,
        scale: op.scale,
        epilogue: Epilogue::default(),
    };
    let product = dynamic(&plain, &a.view(), &right_letters, &[b.view()], pool)?;
    pool.give(a.data);
    pool.give(b.data);
    let back = transpose(perm, &product.view(), pool)?;
    pool.give(product.data);
    Ok(back)
}

pub(super) fn attention(
    op: &Attention,
    q: &View<'_>,
    rest: &[View<'_>],
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    // The three arrays, with what of their elements comes first.
    let whole = strides(&q.shape);
    let together = op.together && q.shape.len() == 5 && q.shape[2] == 3;
    if op.together != together {
        return Err("attention lacks an axis");
    }
    let (arrays, mask) = if together {
        ([q, q, q], rest.first())
    } else {
        ([q, &rest[0], &rest[1]], rest.get(2))
    };
    let starts = if together {
        [0, whole[2], 2 * whole[2]]
    } else {
        [0; 3]
    };
    let axes = |view: &View<'_>, roles: &[usize; 4]| {
        let (mut shape, mut steps) = (view.shape.to_vec(), strides(&view.shape));
        if together {
            shape.remove(2);
            steps.remove(2);
        }
        let mut found = [Axis { len: 0, steps: [0] }; 4];
        let mut seen = [false; 4];
        for (found, &axis) in found.iter_mut().zip(roles) {
            let len = *shape.get(axis).ok_or("attention lacks an axis")?;
            seen[axis.min(3)] = true;
            *found = Axis {
                len,
                steps: [steps[axis]],
            };
        }
        if shape.len() == 4 && seen == [true; 4] {
            Ok(found)
        } else {
            Err("attention lacks an axis")
        }
    };
    let [q, k, v] = arrays;
    let [batch, queries, heads, dim] = axes(q, &op.q)?;
    let [k_batch, keys, k_heads, k_dim] = axes(k, &op.k)?;
    let [v_batch, v_keys, v_heads, values] = axes(v, &op.v)?;
    let fit = batch.len == k_batch.len
        && batch.len == v_batch.len
        && heads.len == k_heads.len
        && heads.len == v_heads.len
        && dim.len == k_dim.len
        && keys.len == v_keys.len
        && keys.len > 0;
    if !fit {
        return Err("attention over arrays that do not fit");
    }
    let mask = match (op.mask, mask) {
        (true, Some(mask)) => Some(key_mask(mask, batch.len, keys.len)?),
        _ => None,
    };
    let (qs, ks, vs) = (q.floats()?, k.floats()?, v.floats()?);
    let shape = vec![batch.len, queries.len, heads.len, values.len];
    let (shape, mut out) = pool.array(shape)?;
    let row = heads.len * values.len;
    for b in 0..batch.len {
        let mask = mask.map(|mask| {
            if mask.len() == keys.len {
                mask
            } else {
                &mask[b * keys.len..][..keys.len]
            }
        });
        for h in 0..heads.len {
            let part =
                |data, at: usize, batch: Axis<1>, head: Axis<1>, row: Axis<1>, col: Axis<1>| {
                    matrix(
                        data,
                        starts[at] + b * batch.steps[0] + h * head.steps[0],
                        row.steps[0],
                        col.steps[0],
                    )
                };
            let to = b * queries.len * row + h * values.len;
            kernels::attention(
                queries.len,
                keys.len,
                dim.len,
                values.len,
                &part(qs, 0, batch, heads, queries, dim),
                &part(ks, 1, k_batch, k_heads, keys, k_dim),
                &part(vs, 2, v_batch, v_heads, v_keys, values),
                op.scale,
                mask,
                &mut out[to..],
                row,
                &mut pool.scratch,
            );
        }
    }
    Ok(Array::f32(shape, out))
}

/// The addends of the keys, one row for all of the batch or one each.
fn key_mask<'a>(mask: &View<'a>, batch: usize, keys: usize) -> Result<&'a [f32], Fault> {
    let values = mask.floats()?;
    let rows = match &*mask.shape {
        [b, 1, 1, n] if *n == keys && (*b == batch || *b == 1) => *b,
        _ => return Err("a mask that depends on more than the key"),
    };
    if values.len() == rows * keys {
        Ok(values)
    } else {
        Err("a mask of another length")
    }
}
