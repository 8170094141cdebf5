//! Where in a tensor an image lies.

use super::Size;

/// Where in a tensor an image lies, so that places in it can be told as places in the image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Geometry {
    /// The image before all.
    pub original: Size,
    /// The tensor's height and width.
    pub input: Size,
    /// How many pixels of the tensor make one of the original, in x and in y.
    pub scale: [f32; 2],
    /// Where the resized image begins in the tensor, from the left and from the top; negative where it was cut.
    pub offset: [f32; 2],
}

impl Geometry {
    /// Of an image that is its own tensor.
    pub fn of(size: Size) -> Geometry {
        Geometry {
            original: size,
            input: size,
            scale: [1.0; 2],
            offset: [0.0; 2],
        }
    }

    /// A place in the tensor, in its pixels, as a place in the original.
    pub fn to_original(&self, x: f32, y: f32) -> [f32; 2] {
        let [sx, sy] = self.scale;
        [(x - self.offset[0]) / sx, (y - self.offset[1]) / sy]
    }

    /// A place in the tensor, in parts of its width and height, as a place in the original.
    pub fn to_original_of_parts(&self, x: f32, y: f32) -> [f32; 2] {
        self.to_original(x * self.input.width as f32, y * self.input.height as f32)
    }
}
