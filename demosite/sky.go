package demosite

// weather is what falls or hangs in a sky.
type weather int

const (
	clear weather = iota
	haze
	rain
	snow
	night
)

// sky is the weather of an edition: its name and its colours. Everything that is coloured takes its
// colours from here, in the style sheet as in the pictures.
type sky struct {
	Name    string
	Line    string // says it in a sentence
	Air     [3]string
	Sun     string
	Ridges  [5]string // far to near
	Paper   string
	Card    string
	Ink     string
	Soft    string // ink for what matters less
	Accent  string
	OnImage string // ink on the hero's sky
	weather weather
}

var skies = []*sky{
	{
		Name: "Morning Haze", Line: "Light before edges. The hills have not decided yet.",
		Air: [3]string{"#d98e9b", "#f4b8a8", "#fbe3d0"}, Sun: "#fff6e9",
		Ridges: [5]string{"#c98a9b", "#a36b88", "#7a4f75", "#523a5e", "#2e2444"},
		Paper:  "#fdf7f2", Card: "#ffffff", Ink: "#2e2444", Soft: "#7b6f8c", Accent: "#b4506e", OnImage: "#2e2444", weather: haze,
	},
	{
		Name: "High Summer", Line: "Pressure rising, shadows short, nothing to report.",
		Air: [3]string{"#8fd0ea", "#cdebea", "#fdf0c4"}, Sun: "#fffbe4",
		Ridges: [5]string{"#a9cfa0", "#74b088", "#468e74", "#2a6a5e", "#16443f"},
		Paper:  "#f8faf1", Card: "#ffffff", Ink: "#14353a", Soft: "#5f7d78", Accent: "#1c7a5b", OnImage: "#14353a", weather: clear,
	},
	{
		Name: "Autumn Front", Line: "Copper light, then rain from the west by four.",
		Air: [3]string{"#a8473f", "#e58a52", "#f6d18b"}, Sun: "#fdeec2",
		Ridges: [5]string{"#b9603f", "#96452f", "#6e3129", "#4a2226", "#2b161c"},
		Paper:  "#fcf5ea", Card: "#fffdf9", Ink: "#3a1a1a", Soft: "#8a655a", Accent: "#b5432a", OnImage: "#fff3e0", weather: rain,
	},
	{
		Name: "First Snow", Line: "It began at the edges of the map and kept on.",
		Air: [3]string{"#a9c0d6", "#d5e1ec", "#f3f7fa"}, Sun: "#ffffff",
		Ridges: [5]string{"#c4d3e1", "#9db4c9", "#738fab", "#4c6883", "#2b4058"},
		Paper:  "#f6f9fc", Card: "#ffffff", Ink: "#1e2f42", Soft: "#667b91", Accent: "#2f6690", OnImage: "#1e2f42", weather: snow,
	},
	{
		Name: "Polar Night", Line: "No sun until the nineteenth. The sky does what it likes.",
		Air: [3]string{"#0a1130", "#1c2c60", "#47609c"}, Sun: "#f5f3d7",
		Ridges: [5]string{"#31457c", "#253566", "#1a264e", "#111a38", "#090f24"},
		Paper:  "#0c1124", Card: "#141b36", Ink: "#e8ecf8", Soft: "#98a5cb", Accent: "#8fb6ff", OnImage: "#eef2ff", weather: night,
	},
	{
		Name: "Sea Fret", Line: "The coast is where it was. You will have to trust us.",
		Air: [3]string{"#86bfc0", "#b8dcd9", "#eaf6f3"}, Sun: "#fbfff5",
		Ridges: [5]string{"#9cc9c7", "#6fa9ab", "#47868d", "#2a626e", "#153f4c"},
		Paper:  "#f2f9f8", Card: "#ffffff", Ink: "#123640", Soft: "#5c8087", Accent: "#14798a", OnImage: "#123640", weather: haze,
	},
	{
		Name: "Desert Thermals", Line: "Hot air, going up. Everything else stays put.",
		Air: [3]string{"#ec8358", "#f8bd86", "#fdeccd"}, Sun: "#fff8e3",
		Ridges: [5]string{"#e29a62", "#cc7648", "#a9573a", "#7d3d31", "#4e2628"},
		Paper:  "#fdf6ec", Card: "#fffdfa", Ink: "#43211f", Soft: "#94705f", Accent: "#c2542d", OnImage: "#43211f", weather: clear,
	},
	{
		Name: "Spring Squall", Line: "Two minutes of everything, then a blackbird.",
		Air: [3]string{"#7888c9", "#b5c0e6", "#eef0fa"}, Sun: "#fffbe6",
		Ridges: [5]string{"#9db58f", "#7a9c78", "#557f67", "#365d57", "#1d3b42"},
		Paper:  "#f6f7fc", Card: "#ffffff", Ink: "#1f2c46", Soft: "#69748f", Accent: "#5350c4", OnImage: "#1b2640", weather: rain,
	},
}

// Dark tells a sky whose paper is darker than its ink.
func (s *sky) Dark() bool { return s.weather == night }

func skyOf(n int) *sky { return skies[(n-1)%len(skies)] }
