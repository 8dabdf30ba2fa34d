//! What part of a picture is on the screen: a shift and a scale.

use super::decimal::{Decimal, px};

/// Smallest and largest scale.
pub const SCALES: (f64, f64) = (0.08, 2.0);

/// A point or a size, in CSS pixels of the screen or units of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Down.
    pub y: f64,
}

impl Point {
    /// A point.
    pub fn new(x: f64, y: f64) -> Self {
        Self { x, y }
    }

    /// `x y`, as path data wants it.
    pub fn text(self) -> String {
        format!("{} {}", px(self.x), px(self.y))
    }
}

/// Screen = picture × scale + shift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Camera {
    /// Where the picture's origin is on the screen.
    pub shift: Point,
    /// CSS pixels for one unit of the picture.
    pub scale: f64,
}

impl Default for Camera {
    fn default() -> Self {
        Self { shift: Point::default(), scale: 1.0 }
    }
}

impl Camera {
    /// Shows all of a picture of this size in a screen of that size, with a margin, never larger than life; centred.
    pub fn fit(picture: Point, screen: Point) -> Self {
        const MARGIN: f64 = 28.0;
        // The tools stand at the lower edge.
        let screen = Self::above_tools(screen);
        let room = |screen: f64, picture: f64| (screen - 2.0 * MARGIN).max(1.0) / picture.max(1.0);
        let scale = room(screen.x, picture.x).min(room(screen.y, picture.y)).clamp(SCALES.0, 1.0);
        let shift = Point::new((screen.x - picture.x * scale) / 2.0, ((screen.y - picture.y * scale) / 2.0).max(16.0));
        Self { shift, scale }
    }

    fn above_tools(screen: Point) -> Point {
        Point::new(screen.x, (screen.y - 44.0).max(1.0))
    }

    /// Grows or shrinks around a point of the screen, which keeps showing what it shows.
    #[must_use]
    pub fn zoomed(self, factor: f64, around: Point) -> Self {
        let scale = (self.scale * factor).clamp(SCALES.0, SCALES.1);
        let ratio = scale / self.scale;
        let keep = |at: f64, shift: f64| at - (at - shift) * ratio;
        Self { shift: Point::new(keep(around.x, self.shift.x), keep(around.y, self.shift.y)), scale }
    }

    /// Moves the picture by this much on the screen.
    #[must_use]
    pub fn panned(self, by: Point) -> Self {
        Self { shift: Point::new(self.shift.x + by.x, self.shift.y + by.y), ..self }
    }

    /// The point of the picture that is shown at a point of the screen.
    pub fn to_picture(self, screen: Point) -> Point {
        Point::new((screen.x - self.shift.x) / self.scale, (screen.y - self.shift.y) / self.scale)
    }

    /// Moves as little as needed to bring a box of the picture (corner, size) onto the screen.
    #[must_use]
    pub fn revealing(self, corner: Point, size: Point, screen: Point) -> Self {
        const EDGE: f64 = 24.0;
        let nudge = |corner: f64, size: f64, shift: f64, screen: f64| {
            let (low, high) = (corner * self.scale + shift, (corner + size) * self.scale + shift);
            if low < EDGE {
                EDGE - low
            } else if high > screen - EDGE {
                (screen - EDGE - high).max(EDGE - low)
            } else {
                0.0
            }
        };
        self.panned(Point::new(
            nudge(corner.x, size.x, self.shift.x, screen.x),
            nudge(corner.y, size.y, self.shift.y, screen.y),
        ))
    }

    /// `x,y,scale` for an address.
    pub fn text(self) -> String {
        format!("{},{},{}", Decimal(self.shift.x, 0), Decimal(self.shift.y, 0), Decimal(self.scale, 2))
    }

    /// The value of the style `transform` that shows it.
    pub fn transform(self) -> String {
        format!("translate({}px, {}px) scale({})", px(self.shift.x), px(self.shift.y), Decimal(self.scale, 5))
    }

    /// The camera of an address; `None` when the text is none or the scale is out of range.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(',').map(|part| part.parse::<f64>().ok().filter(|n| n.is_finite()));
        let (x, y, scale) = (parts.next()??, parts.next()??, parts.next()??);
        (parts.next().is_none() && (SCALES.0..=SCALES.1).contains(&scale))
            .then(|| Self { shift: Point::new(x, y), scale })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fitting_shows_everything_and_never_enlarges() {
        let screen = Point::new(800.0, 600.0);
        let small = Camera::fit(Point::new(100.0, 50.0), screen);
        assert_eq!(small.scale, 1.0);
        assert_eq!(small.shift.x, 350.0);
        let wide = Camera::fit(Point::new(4000.0, 300.0), screen);
        assert!(wide.scale * 4000.0 <= 800.0 && wide.shift.x >= 0.0);
    }

    #[test]
    fn zooming_keeps_the_point_under_the_pointer() {
        let camera = Camera { shift: Point::new(10.0, 20.0), scale: 0.5 };
        let pointer = Point::new(300.0, 200.0);
        let before = camera.to_picture(pointer);
        let after = camera.zoomed(1.7, pointer).to_picture(pointer);
        assert!((before.x - after.x).abs() < 1e-9 && (before.y - after.y).abs() < 1e-9);
        assert_eq!(camera.zoomed(1000.0, pointer).scale, SCALES.1);
        assert_eq!(camera.zoomed(0.0001, pointer).scale, SCALES.0);
    }

    #[test]
    fn revealing_moves_only_when_it_must() {
        let camera = Camera::default();
        let (screen, size) = (Point::new(800.0, 600.0), Point::new(200.0, 60.0));
        assert_eq!(camera.revealing(Point::new(100.0, 100.0), size, screen), camera);
        assert_eq!(camera.revealing(Point::new(900.0, 100.0), size, screen).shift.x, 800.0 - 24.0 - 1100.0);
        assert_eq!(camera.revealing(Point::new(-50.0, 100.0), size, screen).shift.x, 74.0);
    }

    #[test]
    fn a_camera_in_an_address_is_read_back_and_nonsense_is_not() {
        let camera = Camera { shift: Point::new(-120.0, 40.0), scale: 0.75 };
        assert_eq!(Camera::parse(&camera.text()), Some(camera));
        for text in ["", "1,2", "1,2,3,4", "a,b,c", "0,0,0", "0,0,99", "inf,0,1", "NaN,0,1"] {
            assert_eq!(Camera::parse(text), None, "{text}");
        }
    }
}
