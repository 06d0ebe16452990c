package demosite

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
)

// barometerPNG draws a dial whose needle moves on with each edition: a picture that is not text, for
// those who wonder whether binary files are invalidated too.
func barometerPNG(s *sky, n int) ([]byte, error) {
	const size = 320
	face, ink, needle := rgb(s.Card), rgb(s.Ink), rgb(s.Accent)
	img := image.NewNRGBA(image.Rect(0, 0, size, size))
	angle := 2 * math.Pi * (float64(n%31)/30*.75 - .375)
	nx, ny := math.Sin(angle), -math.Cos(angle)
	for y := range size {
		for x := range size {
			dx, dy := float64(x)-size/2+.5, float64(y)-size/2+.5
			r := math.Hypot(dx, dy)
			var c color.NRGBA
			switch { // by rings: most points have nothing but the face
			case r > 151:
				continue
			case r > 135:
				c = mix(color.NRGBA{face.R, face.G, face.B, 0}, face, soft(150-r))
				c = mix(c, ink, .85*soft(3-math.Abs(r-146)))
			case r > 14:
				c = mix(face, ink, .6*tick(dx, dy, r))
				c = mix(c, needle, soft(3.4-fromNeedle(dx, dy, nx, ny)))
			default:
				c = mix(face, needle, soft(3.4-fromNeedle(dx, dy, nx, ny)))
				c = mix(mix(c, ink, soft(11-r)), face, soft(4-r))
			}
			img.SetNRGBA(x, y, c)
		}
	}
	var out bytes.Buffer
	err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&out, img)
	return out.Bytes(), err
}

// tick is how much of a mark of the scale is at a point: 31 marks over three quarters of the circle,
// every fifth one long.
func tick(dx, dy, r float64) float64 {
	if r < 100 {
		return 0
	}
	a := math.Atan2(dx, -dy) / (2 * math.Pi) // 0 is up, ±.5 is down
	if math.Abs(a) > .382 {
		return 0
	}
	k := math.Round((a + .375) / .75 * 30)
	off := math.Abs(a-(k/30*.75-.375)) * 2 * math.Pi * r
	inner := 122.0
	if int(k)%5 == 0 {
		inner = 108
	}
	return soft(1.4-off) * soft(r-inner) * soft(132-r)
}

// fromNeedle is the distance from the needle's line, which reaches a little beyond the hub.
func fromNeedle(dx, dy, nx, ny float64) float64 {
	along := min(max(dx*nx+dy*ny, -34), 104)
	return math.Hypot(dx-along*nx, dy-along*ny)
}

// soft turns a signed distance into coverage, one pixel wide.
func soft(d float64) float64 { return min(max(d+.5, 0), 1) }

func mix(a, b color.NRGBA, t float64) color.NRGBA {
	f := func(x, y uint8) uint8 { return uint8(float64(x) + (float64(y)-float64(x))*t + .5) }
	return color.NRGBA{f(a.R, b.R), f(a.G, b.G), f(a.B, b.B), f(a.A, max(a.A, b.A))}
}

func rgb(hex string) color.NRGBA {
	c := color.NRGBA{A: 255}
	fmt.Sscanf(hex, "#%02x%02x%02x", &c.R, &c.G, &c.B)
	return c
}
