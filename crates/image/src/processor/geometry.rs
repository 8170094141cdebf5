//! Where in a tensor an image lies.

use super::Size;

/// Where in a tensor an image lies, so that places in it can be told as places in the image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Geometry {
    /// The image before all.
    pub original: Size,
    /// The image as it was resized.
    pub resized: Size,
    /// The tensor's height and width.
    pub input: Size,
    /// Where the resized image begins in it, from the left and from the top; negative where it was cut.
    pub offset: [i64; 2],
}

impl Geometry {
    /// Of an image that is its own tensor.
    pub fn of(size: Size) -> Geometry {
        Geometry {
            original: size,
            resized: size,
            input: size,
            offset: [0, 0],
        }
    }

    /// How many pixels of the tensor make one of the original, in x and in y.
    pub fn scale(&self) -> [f32; 2] {
        [
            self.resized.width as f32 / self.original.width as f32,
            self.resized.height as f32 / self.original.height as f32,
        ]
    }

    /// A place in the tensor, in its pixels, as a place in the original.
    pub fn to_original(&self, x: f32, y: f32) -> [f32; 2] {
        let [sx, sy] = self.scale();
        [
            (x - self.offset[0] as f32) / sx,
            (y - self.offset[1] as f32) / sy,
        ]
    }

    /// A place in the tensor, in parts of its width and height, as a place in the original.
    pub fn to_original_of_parts(&self, x: f32, y: f32) -> [f32; 2] {
        self.to_original(x * self.input.width as f32, y * self.input.height as f32)
    }
}
