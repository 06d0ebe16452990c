package demosite

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
)

// canvas collects an SVG picture. The same number always gives the same picture.
type canvas struct {
	bytes.Buffer
	w, h float64
	sky  *sky
	rnd  *rand.Rand
}

func newCanvas(w, h float64, s *sky, label string, seed ...uint64) *canvas {
	c := &canvas{w: w, h: h, sky: s, rnd: rand.New(rand.NewPCG(seed[0], seed[1]))}
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" role="img" aria-label="%s">`+"\n", w, h, label)
	fmt.Fprintf(c, `<defs><linearGradient id="air" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="%s"/><stop offset=".55" stop-color="%s"/><stop offset="1" stop-color="%s"/></linearGradient>`+
		`<radialGradient id="glow"><stop offset="0" stop-color="%s" stop-opacity=".9"/><stop offset="1" stop-color="%s" stop-opacity="0"/></radialGradient>`+
		`<linearGradient id="mist" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="%s" stop-opacity="0"/><stop offset=".6" stop-color="%s" stop-opacity=".42"/><stop offset="1" stop-color="%s" stop-opacity="0"/></linearGradient></defs>`+"\n",
		s.Air[0], s.Air[1], s.Air[2], s.Sun, s.Sun, s.Sun, s.Sun, s.Sun)
	fmt.Fprintf(c, `<rect width="%g" height="%g" fill="url(#air)"/>`+"\n", w, h)
	return c
}

func (c *canvas) end() []byte {
	c.WriteString("</svg>\n")
	return c.Bytes()
}

func (c *canvas) between(a, b float64) float64 { return a + (b-a)*c.rnd.Float64() }

// sun draws the sun, or at night a crescent: the outer edge a half circle, the inner one flatter.
func (c *canvas) sun(x, y, r float64) {
	if c.sky.weather == night {
		fmt.Fprintf(c, `<circle cx="%.0f" cy="%.0f" r="%.0f" fill="url(#glow)" opacity=".45"/><path d="M%.1f %.1fA%.0f %.0f 0 1 0 %.1f %.1fA%.1f %.1f 0 1 1 %.1f %.1fZ" fill="%s"/>`+"\n",
			x, y, r*2.4, x+r*.3, y-r*.95, r, r, x+r*.95, y+r*.3, r*.82, r*.82, x+r*.3, y-r*.95, c.sky.Sun)
		return
	}
	fmt.Fprintf(c, `<circle cx="%.0f" cy="%.0f" r="%.0f" fill="url(#glow)"/><circle cx="%.0f" cy="%.0f" r="%.0f" fill="%s"/>`+"\n", x, y, r*3, x, y, r, c.sky.Sun)
}

// ridge fills everything below a skyline: three waves of different length, the shorter ones lower.
func (c *canvas) ridge(base, height float64, colour string, rough float64) {
	p1, p2, p3 := c.between(0, 6.3), c.between(0, 6.3), c.between(0, 6.3)
	f := c.between(.8, 1.3)
	var path strings.Builder
	fmt.Fprintf(&path, "M0 %.0f", c.h)
	const steps = 72
	for i := range steps + 1 {
		t := float64(i) / steps
		y := base - height*(.5*math.Sin(f*5*t+p1)+.3*math.Sin(f*11*t+p2)+rough*math.Sin(f*37*t+p3))
		fmt.Fprintf(&path, "L%.1f %.1f", t*c.w, y)
	}
	fmt.Fprintf(c, `<path d="%sL%.0f %.0fZ" fill="%s"/>`+"\n", path.String(), c.w, c.h, colour)
}

// ridges fills the lower part, far to near.
func (c *canvas) ridges(top, rough float64) {
	for i, colour := range c.sky.Ridges {
		t := float64(i) / 4
		c.ridge(top+(c.h*.97-top)*t*.85, c.h*(.075-.025*t), colour, rough)
	}
}

// swell fills the lower part with waves that grow towards the viewer.
func (c *canvas) swell(top float64) {
	for i, colour := range c.sky.Ridges {
		t := float64(i) / 4
		y, amp, long := top+(c.h-top)*t*.82, c.h*(.008+.022*t), c.w*(.16+.22*t)
		shift := c.between(0, long)
		fmt.Fprintf(c, `<path d="M%.1f %.1f`, -shift-long, y)
		for x := -shift - long; x < c.w+long; x += long {
			fmt.Fprintf(c, "q%.1f %.1f %.1f 0t%.1f 0", long/4, -amp*2, long/2, long/2)
		}
		fmt.Fprintf(c, `V%.0fH%.1fZ" fill="%s"/>`+"\n", c.h, -shift-long, colour)
	}
}

// isobars draws lines of equal pressure around a centre, as a weather chart does.
func (c *canvas) isobars(x, y, first, step float64, n int, colour string, opacity float64) {
	for i := range n {
		r := first + step*float64(i)
		p, q := c.between(0, 6.3), c.between(0, 6.3)
		fmt.Fprintf(c, `<path d="`)
		for k := range 61 {
			a := float64(k%60) / 60 * 2 * math.Pi
			rr := r * (1 + .05*math.Sin(2*a+p*.2) + .035*math.Sin(3*a+q*.2))
			fmt.Fprintf(c, "%s%.1f %.1f", map[bool]string{true: "M", false: "L"}[k == 0], x+rr*1.25*math.Cos(a), y+rr*math.Sin(a))
		}
		fmt.Fprintf(c, `Z" fill="none" stroke="%s" stroke-opacity="%.2f" stroke-width="1.4"/>`+"\n", colour, opacity)
	}
}

// cloud draws one flat-bottomed bank of width 2s. Its opacity is the group's, so that it stays one
// shape where its parts overlap.
func (c *canvas) cloud(x, y, s, opacity float64) {
	fmt.Fprintf(c, `<g fill="%s" opacity="%.2f"><rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" rx="%.0f"/>`, c.sky.Sun, opacity, x-s, y-s*.2, s*2, s*.4, s*.2)
	for k, r := range [4]float64{.26, .42, .5, .3} {
		r *= s * c.between(.8, 1.1)
		// All stand on one floor: a circle sinks no deeper than the bank's lower edge.
		fmt.Fprintf(c, `<circle cx="%.0f" cy="%.0f" r="%.0f"/>`, x-s*.62+s*.42*float64(k), y+s*.2-r, r)
	}
	c.WriteString("</g>\n")
}

// lenses draws the stacked lens clouds that stand behind mountains.
func (c *canvas) lenses(x, y, w float64, n int) {
	for i := range n {
		t := float64(i)
		fmt.Fprintf(c, `<ellipse cx="%.0f" cy="%.0f" rx="%.0f" ry="%.0f" fill="%s" fill-opacity="%.2f"/>`+"\n",
			x+c.between(-.05, .05)*w, y+t*w*.15, w*(.3+.12*t), w*(.075+.008*t), c.sky.Sun, .92-.13*t)
	}
}

// fall draws what the weather is.
func (c *canvas) fall(density int) {
	switch c.sky.weather {
	case rain:
		fmt.Fprintf(c, `<g stroke="%s" stroke-opacity=".42" stroke-width="1.3" stroke-linecap="round">`, c.sky.Sun)
		for range density {
			x, y, l := c.between(0, c.w), c.between(0, c.h*.9), c.between(12, 34)
			fmt.Fprintf(c, `<path d="M%.0f %.0fl-%.0f %.0f"/>`, x, y, l*.35, l)
		}
		c.WriteString("</g>\n")
	case snow:
		fmt.Fprintf(c, `<g fill="#fff">`)
		for range density {
			fmt.Fprintf(c, `<circle cx="%.0f" cy="%.0f" r="%.1f" fill-opacity="%.2f"/>`, c.between(0, c.w), c.between(0, c.h), c.between(1, 4), c.between(.5, .95))
		}
		c.WriteString("</g>\n")
	case night:
		fmt.Fprintf(c, `<g fill="%s">`, c.sky.Sun)
		for range density {
			fmt.Fprintf(c, `<circle cx="%.0f" cy="%.0f" r="%.1f" fill-opacity="%.2f"/>`, c.between(0, c.w), c.between(0, c.h*.5), c.between(.6, 1.9), c.between(.4, 1))
		}
		c.WriteString("</g>\n")
	case haze:
		for i := range 3 {
			fmt.Fprintf(c, `<rect y="%.0f" width="%.0f" height="%.0f" fill="url(#mist)"/>`+"\n", c.h*(.46+.15*float64(i)), c.w, c.h*.17)
		}
	}
}

// aurora hangs curtains into a night sky.
func (c *canvas) aurora() {
	if c.sky.weather != night {
		return
	}
	for i, colour := range []string{"#5eead4", "#86efac", "#a78bfa"} {
		y := c.h * (.14 + .07*float64(i))
		fmt.Fprintf(c, `<path d="M0 %.0fC%.0f %.0f %.0f %.0f %.0f %.0fV%.0fC%.0f %.0f %.0f %.0f 0 %.0fZ" fill="%s" fill-opacity=".17"/>`+"\n",
			y, c.w*.3, y-c.h*.16, c.w*.6, y+c.h*.2, c.w, y-c.h*.06, y+c.h*.12, c.w*.6, y+c.h*.34, c.w*.3, y+c.h*.02, y+c.h*.2, colour)
	}
}

func heroSVG(s *sky, n int) []byte {
	c := newCanvas(1600, 760, s, fmt.Sprintf("%s, edition %d", s.Name, n), 7, uint64(n))
	c.aurora()
	if s.weather == night {
		c.fall(170)
	}
	c.isobars(1180, 250, 120, 62, 7, s.Sun, .38)
	c.sun(1180, 250, 74)
	if s.weather != night {
		for _, at := range [][3]float64{{860, 330, 74}, {1010, 150, 52}, {1420, 210, 96}, {1330, 380, 60}} {
			c.cloud(at[0]+c.between(-40, 40), at[1]+c.between(-20, 20), at[2], .5)
		}
	}
	c.ridges(470, .06)
	if s.weather != night {
		c.fall(240)
	}
	return c.end()
}

// printSVG draws a print on its sheet: the picture, a margin, the caption with the edition.
func printSVG(s *sky, p print, n int) []byte {
	c := newCanvas(600, 700, s, fmt.Sprintf("%s, edition %d", p.Title, n), uint64(p.ID)*101, uint64(n))
	c.aurora()
	switch p.ID {
	case 1:
		c.sun(c.between(180, 420), 300, 64)
		c.swell(330)
	case 2:
		c.isobars(150, 250, 60, 42, 7, s.Sun, .55)
		c.isobars(470, 180, 50, 38, 6, s.Ridges[3], .4)
		c.ridges(480, .05)
	case 3:
		c.sun(150, 140, 44)
		c.lenses(350, 170, 230, 4)
		c.ridge(520, 130, s.Ridges[1], .03)
		c.ridge(590, 70, s.Ridges[3], .05)
		c.ridge(650, 40, s.Ridges[4], .03)
	case 4:
		c.sun(120, 130, 40)
		for k := range 15 { // far and small at the horizon, near and large above
			t := float64(k) / 14
			c.cloud(c.between(30, 570), 470-370*t, 22+72*t*t, .5+.4*t)
		}
		c.ridges(520, .02)
	case 5:
		c.sun(430, 150, 54)
		for i, colour := range s.Ridges {
			c.ridge(280+float64(i)*95, 90-float64(i)*11, colour, .09)
		}
	case 6:
		for _, at := range [][2]float64{{90, 90}, {510, 110}, {100, 480}, {500, 470}} {
			c.isobars(at[0], at[1], 40, 34, 5, s.Ridges[3], .38)
		}
		c.sun(300, 290, 30)
		c.ridges(560, .04)
	}
	c.fall(110)
	fmt.Fprintf(c, `<rect x="14" y="14" width="572" height="672" fill="none" stroke="%s" stroke-width="28"/>`+"\n", s.Card)
	fmt.Fprintf(c, `<rect y="620" width="600" height="80" fill="%s"/>`+"\n", s.Card)
	fmt.Fprintf(c, `<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="17" letter-spacing="2" fill="%s"><text x="30" y="664">ISOBAR No. %d</text><text x="570" y="664" text-anchor="end" fill="%s">EDITION %d</text></g>`+"\n", s.Soft, p.ID, s.Accent, n)
	return c.end()
}

// markSVG is the shop's sign and the browser's icon.
func markSVG(s *sky) []byte {
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><circle cx="32" cy="32" r="32" fill="%s"/><g fill="none" stroke="%s" stroke-width="3.4" stroke-linecap="round"><circle cx="36" cy="28" r="5.5" fill="%s" stroke="none"/><path d="M22 29a14 13 0 1 1 27 4"/><path d="M13 34a23 21 0 0 1 44-8"/><path d="M10 45c9-7 16 5 25-1s12-4 19 0"/></g></svg>`+"\n", s.Accent, s.Paper, s.Paper)
}
