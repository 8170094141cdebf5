//! Hulls of points and the smallest rectangles around them.

use crate::sort::sorted;

/// The corners of a quadrangle, around it.
pub(super) type Corners = [[f32; 2]; 4];

pub(super) fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

pub(super) fn area(corners: &Corners) -> f32 {
    let twice: f32 = (0..4)
        .map(|i| cross([0.0; 2], corners[i], corners[(i + 1) % 4]))
        .sum();
    twice.abs() * 0.5
}

pub(super) fn circumference(corners: &Corners) -> f32 {
    (0..4)
        .map(|i| distance(corners[i], corners[(i + 1) % 4]))
        .sum()
}

/// Twice the area of a triangle, by the sense of its turn.
fn cross(o: [f32; 2], a: [f32; 2], b: [f32; 2]) -> f32 {
    (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])
}

/// The corners of the smallest convex polygon around the points (Andrew's monotone chain).
fn hull(points: &[[f32; 2]]) -> Vec<[f32; 2]> {
    let mut points = sorted(points, |a, b| {
        a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1]))
    });
    points.dedup();
    let half = |points: &mut dyn Iterator<Item = [f32; 2]>| {
        let mut chain: Vec<[f32; 2]> = Vec::new();
        for p in points {
            while let [.., a, b] = chain[..]
                && cross(a, b, p) <= 0.0
            {
                chain.pop();
            }
            chain.push(p);
        }
        chain
    };
    let mut all = half(&mut points.iter().copied());
    let back = half(&mut points.iter().rev().copied());
    // Each half ends where the other one begins.
    all.pop();
    all.extend(&back[..back.len() - 1]);
    if all.is_empty() { points } else { all }
}

/// The smallest rectangle around the points, of which one edge lies on one of the hull's, and its shorter side.
pub(super) fn smallest(points: &[[f32; 2]]) -> (Corners, f32) {
    let hull = hull(points);
    let mut best = (f32::INFINITY, [hull[0]; 4], 0.0);
    for (i, &a) in hull.iter().enumerate() {
        let b = hull[(i + 1) % hull.len()];
        let length = distance(a, b);
        if length == 0.0 {
            continue;
        }
        let along = [(b[0] - a[0]) / length, (b[1] - a[1]) / length];
        let across = [-along[1], along[0]];
        let ends = |axis: [f32; 2]| {
            let places = hull
                .iter()
                .map(|p| (p[0] - a[0]) * axis[0] + (p[1] - a[1]) * axis[1]);
            places.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), x| {
                (low.min(x), high.max(x))
            })
        };
        let ((x0, x1), (y0, y1)) = (ends(along), ends(across));
        let area = (x1 - x0) * (y1 - y0);
        if area < best.0 {
            let place = |x: f32, y: f32| [0, 1].map(|i| a[i] + x * along[i] + y * across[i]);
            let corners = [place(x0, y0), place(x1, y0), place(x1, y1), place(x0, y1)];
            best = (area, corners, (x1 - x0).min(y1 - y0));
        }
    }
    (best.1, best.2)
}

/// A rectangle with each edge moved out by a distance, and its shorter side.
pub(super) fn grown(corners: &Corners, by: f32) -> (Corners, f32) {
    let (wide, high) = (
        distance(corners[0], corners[1]),
        distance(corners[1], corners[2]),
    );
    // A rectangle without a width has no direction; it is nothing that is read.
    let axis = |a: [f32; 2], b: [f32; 2], length: f32| {
        [0, 1].map(|i| (b[i] - a[i]) / length.max(f32::MIN_POSITIVE) * by)
    };
    let along = axis(corners[0], corners[1], wide);
    let across = axis(corners[1], corners[2], high);
    let signs = [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]];
    let grown = std::array::from_fn(|i| {
        [0, 1].map(|k| corners[i][k] + signs[i][0] * along[k] + signs[i][1] * across[k])
    });
    (grown, wide.min(high) + 2.0 * by)
}

/// The corners from the upper left one: of the two at the left the upper one, then the upper one of those at the right.
pub(super) fn clockwise(corners: Corners) -> Corners {
    let corners = sorted(&corners, |a, b| a[0].total_cmp(&b[0]));
    let by_height = |a: [f32; 2], b: [f32; 2]| if b[1] < a[1] { (b, a) } else { (a, b) };
    let (upper_left, lower_left) = by_height(corners[0], corners[1]);
    let (upper_right, lower_right) = by_height(corners[2], corners[3]);
    [upper_left, upper_right, lower_right, lower_left]
}

/// From where to where a row is within the corners.
pub(super) fn row(corners: &Corners, y: f32) -> Option<(f32, f32)> {
    let mut ends: Option<(f32, f32)> = None;
    for i in 0..4 {
        let ([ax, ay], [bx, by]) = (corners[i], corners[(i + 1) % 4]);
        if y < ay.min(by) || y > ay.max(by) {
            continue;
        }
        let edge = match ay == by {
            true => [ax, bx],
            false => [ax + (y - ay) / (by - ay) * (bx - ax); 2],
        };
        for x in edge {
            ends = Some(ends.map_or((x, x), |(low, high)| (low.min(x), high.max(x))));
        }
    }
    ends
}
