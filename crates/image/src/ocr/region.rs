//! Regions of a map: places of text that touch, also by a corner.

/// The outline of each region, as the first and the last place of each of its rows; at most so many, from the top.
pub(super) fn outlines(mut text: Vec<bool>, width: usize, most: usize) -> Vec<Vec<[f32; 2]>> {
    let height = text.len() / width;
    let mut found = Vec::new();
    let mut waiting = Vec::new();
    for start in 0..text.len() {
        if found.len() == most {
            break;
        }
        if !std::mem::take(&mut text[start]) {
            continue;
        }
        waiting.push(start);
        // The first row is that of the first place, for all above were looked at before.
        let top = start / width;
        let mut rows: Vec<(usize, usize)> = Vec::new();
        while let Some(at) = waiting.pop() {
            let (x, y) = (at % width, at / width);
            if rows.len() <= y - top {
                rows.resize(y - top + 1, (usize::MAX, 0));
            }
            let row = &mut rows[y - top];
            *row = (row.0.min(x), row.1.max(x));
            for y in y.saturating_sub(1)..=(y + 1).min(height - 1) {
                for x in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                    let next = y * width + x;
                    if std::mem::take(&mut text[next]) {
                        waiting.push(next);
                    }
                }
            }
        }
        let ends = rows.iter().enumerate().flat_map(|(i, &(from, to))| {
            let y = (top + i) as f32;
            [[from as f32, y], [to as f32, y]]
        });
        found.push(ends.collect());
    }
    found
}
