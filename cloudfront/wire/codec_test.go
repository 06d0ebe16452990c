package wire

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Every structure of the model, filled at random, survives the wire.
func TestRoundTrip_EveryStructure(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, typ := range structures {
		for range 20 {
			want := reflect.New(typ)
			fill(rnd, want.Elem(), 0)
			doc, err := Marshal(typ.Name(), want.Interface())
			if err != nil {
				t.Fatalf("%s: %v", typ.Name(), err)
			}
			got := reflect.New(typ)
			if err := Unmarshal(doc, typ.Name(), got.Interface()); err != nil {
				t.Fatalf("%s: %v\n%s", typ.Name(), err, doc)
			}
			if !reflect.DeepEqual(got.Interface(), want.Interface()) {
				t.Fatalf("%s differs after the wire:\n%s", typ.Name(), doc)
			}
			again, err := Marshal(typ.Name(), got.Interface())
			if err != nil || !bytes.Equal(again, doc) {
				t.Fatalf("%s: %v, second document differs:\n%s\n%s", typ.Name(), err, doc, again)
			}
		}
	}
}

var samples = []string{"", " ", "/images/*.css?a=1&b=2", "a<b>&\"'c", "käse \U0001F9C0", "\r\n\t end ", "]]>", "#brand:acme"}

// fill sets the members that travel in the document, each with a chance.
func fill(rnd *rand.Rand, v reflect.Value, depth int) {
	if depth > MaxDepth {
		panic("the model has become recursive: fill needs a bound")
	}
	if isStructure(v.Type()) {
		for _, m := range planOf(v.Type()).members {
			if rnd.IntN(4) > 0 {
				fill(rnd, v.Field(m.index), depth+1)
			}
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(rnd, v.Elem(), depth)
	case reflect.Slice:
		if v.Type() == blobType {
			v.SetBytes([]byte(samples[rnd.IntN(len(samples))]))
			return
		}
		n := rnd.IntN(4)
		if n == 0 { // an empty list reads as none
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(rnd, v.Index(i), depth+1)
		}
	case reflect.String:
		v.SetString(samples[rnd.IntN(len(samples))])
	case reflect.Bool:
		v.SetBool(rnd.IntN(2) == 0)
	case reflect.Int64:
		v.SetInt([]int64{0, -1, 31536000, math.MaxInt64, math.MinInt64}[rnd.IntN(5)])
	case reflect.Float64:
		v.SetFloat([]float64{0, 0.15, -1e300, 1e-300}[rnd.IntN(4)])
	default:
		at := time.UnixMilli(rnd.Int64N(4e12)).UTC()
		v.Set(reflect.ValueOf(Timestamp{at}))
	}
}

func TestMarshal_LooksLikeCloudFront(t *testing.T) {
	created := time.Date(2026, 5, 14, 12, 0, 0, 726_999_000, time.FixedZone("", 2*3600))
	got, err := Marshal("Invalidation", &Invalidation{
		Id: Ptr("I2J0I21PCUYOIK"), Status: Ptr("InProgress"), CreateTime: &Timestamp{created},
		InvalidationBatch: &InvalidationBatch{
			Paths:           &Paths{Quantity: Ptr(int64(2)), Items: []string{"/*", "/a&b?<c>"}},
			CallerReference: Ptr(""),
		},
	})
	want := "<?xml version=\"1.0\"?>\n" +
		`<Invalidation xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Id>I2J0I21PCUYOIK</Id><Status>InProgress</Status>` +
		`<CreateTime>2026-05-14T10:00:00.726Z</CreateTime><InvalidationBatch><Paths><Quantity>2</Quantity><Items><Path>/*</Path>` +
		`<Path>/a&amp;b?&lt;c&gt;</Path></Items></Paths><CallerReference></CallerReference></InvalidationBatch></Invalidation>`
	if err != nil || string(got) != want {
		t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
	}
}

func TestMarshal_EmptyListHasNoItems(t *testing.T) {
	got, err := Marshal("InvalidationList", InvalidationList{
		Marker: Ptr(""), MaxItems: Ptr(int64(100)), IsTruncated: Ptr(false), Quantity: Ptr(int64(0)), Items: []InvalidationSummary{},
	})
	if err != nil || strings.Contains(string(got), "Items/") || strings.Contains(string(got), "<Items>") {
		t.Errorf("%v %s", err, got)
	}
	if !strings.Contains(string(got), "<Marker></Marker>") {
		t.Errorf("an empty marker is left out: %s", got)
	}
}

func TestMarshal_RefusesWhatXMLCannotSay(t *testing.T) {
	for _, s := range []string{"a\x00b", "\x1b", "\xff", "￾"} {
		_, err := Marshal("InvalidationBatch", &InvalidationBatch{Paths: &Paths{Items: []string{"/ok", s}}})
		if err == nil || !strings.Contains(err.Error(), "InvalidationBatch.Paths.Items[1]") {
			t.Errorf("%q: %v", s, err)
		}
	}
	if _, err := Marshal("x", &ContinuousDeploymentSingleWeightConfig{Weight: Ptr(math.Inf(1))}); err == nil {
		t.Error("infinity was written")
	}
	if _, err := Marshal("Path", Ptr("text")); err == nil {
		t.Error("a string was written as a document")
	}
}

func TestEscapeText(t *testing.T) {
	if got := EscapeText("a<b>&\"c'\r\n\t\x00\xffü"); got != "a&lt;b&gt;&amp;\"c'&#xD;\n\t\uFFFD\uFFFDü" {
		t.Errorf("%q", got)
	}
}

func TestUnmarshal_TakesWhatClientsSend(t *testing.T) {
	want := InvalidationBatch{CallerReference: Ptr("r 1"), Paths: &Paths{Quantity: Ptr(int64(2)), Items: []string{"/index.html", "#brand:a&b"}}}
	for name, doc := range map[string]string{
		"other order": `<InvalidationBatch xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Paths><Quantity>2</Quantity><Items><Path>/index.html</Path><Path>#brand:a&amp;b</Path></Items></Paths><CallerReference>r 1</CallerReference></InvalidationBatch>`,
		"bare":        `<InvalidationBatch><CallerReference>r 1</CallerReference><Paths><Items><Path>/index.html</Path><Path>#brand:a&#38;b</Path></Items><Quantity>2</Quantity></Paths></InvalidationBatch>`,
		"old version, prefix": `<?xml version="1.0" encoding="utf-8"?>` + "\n" +
			`<c:InvalidationBatch xmlns:c="http://cloudfront.amazonaws.com/doc/2012-05-05/"><c:CallerReference>r 1</c:CallerReference><c:Paths><c:Items><c:Path>/index.html</c:Path><c:Path>#brand:a&amp;b</c:Path></c:Items><c:Quantity>2</c:Quantity></c:Paths></c:InvalidationBatch>`,
		"pretty": "\xEF\xBB\xBF<?xml version='1.0'?>\n<!-- hand-made -->\n<InvalidationBatch>\n  <CallerReference>r<!-- x --> 1</CallerReference>\n\t<Paths>\r\n <Quantity>\n2 </Quantity><Items>\n<Path>/index.html</Path>\n<Path><![CDATA[#brand:a&b]]></Path>\n</Items></Paths>\n</InvalidationBatch>\n<!-- end -->\n",
	} {
		var got InvalidationBatch
		if err := Unmarshal([]byte(doc), "InvalidationBatch", &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v %+v", name, err, got)
		}
	}
}

func TestUnmarshal_EmptyListReadsAsNone(t *testing.T) {
	for _, doc := range []string{
		`<Paths><Quantity>0</Quantity><Items></Items></Paths>`, `<Paths><Items/><Quantity>0</Quantity></Paths>`,
		"<Paths><Quantity>0</Quantity><Items>\n</Items></Paths>", `<Paths><Quantity>0</Quantity></Paths>`,
	} {
		var got Paths
		if err := Unmarshal([]byte(doc), "Paths", &got); err != nil || got.Items != nil {
			t.Errorf("%s: %v %#v", doc, err, got.Items)
		}
	}
}

func TestUnmarshal_Refuses(t *testing.T) {
	deep := strings.Repeat("<a>", 100_000)
	for _, c := range []struct{ code, says, doc string }{
		{"MissingBody", "requires a body", ""},
		{"MissingBody", "requires a body", " \r\n"},
		{"MalformedXML", "no element", "<!-- nothing -->"},
		{"MalformedXML", "Invalid XML", "hello"},
		{"MalformedXML", "before the root", "hello<InvalidationBatch/>"},
		{"MalformedXML", "Invalid XML", "{}"},
		{"MalformedXML", "Invalid XML", "<InvalidationBatch"},
		{"MalformedXML", "unexpected EOF", "<InvalidationBatch><Paths>"},
		{"MalformedXML", "Invalid XML", "<InvalidationBatch><Paths></InvalidationBatch>"},
		{"MalformedXML", "follows the root", "<InvalidationBatch/><InvalidationBatch/>"},
		{"MalformedXML", "follows the root", "<InvalidationBatch/>more"},
		{"MalformedXML", "document type", `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><InvalidationBatch><CallerReference>&e;</CallerReference></InvalidationBatch>`},
		{"MalformedXML", "document type", `<InvalidationBatch/><!DOCTYPE x>`},
		{"MalformedXML", "entity", `<InvalidationBatch><CallerReference>&nbsp;</CallerReference></InvalidationBatch>`},
		{"MalformedXML", "processing instruction", `<?php x ?><InvalidationBatch/>`},
		{"MalformedXML", "processing instruction", ` <?xml version="1.0"?><InvalidationBatch/>`},
		{"MalformedXML", "encoding", `<?xml version="1.0" encoding="iso-8859-1"?><InvalidationBatch/>`},
		{"MalformedXML", "UTF-8", "<InvalidationBatch><CallerReference>\xff</CallerReference></InvalidationBatch>"},
		{"MalformedXML", "illegal character", "<InvalidationBatch><CallerReference>\x01</CallerReference></InvalidationBatch>"},
		{"MalformedXML", "longer than", "<InvalidationBatch>" + strings.Repeat(" ", MaxDocument) + "</InvalidationBatch>"},
		{"MalformedInput", "unknown element 'InvalidationBatch.a'", "<InvalidationBatch>" + deep},
		{"MalformedInput", "unexpected element 'InvalidationBatch.CallerReference.a'", "<InvalidationBatch><CallerReference>" + deep},
		{"MalformedInput", "'Paths', expected 'InvalidationBatch'", "<Paths/>"},
		{"MalformedInput", "unknown element 'InvalidationBatch.Path'", "<InvalidationBatch><Path>/a</Path></InvalidationBatch>"},
		{"MalformedInput", "unknown element 'InvalidationBatch.paths'", "<InvalidationBatch><paths/></InvalidationBatch>"},
		{"MalformedInput", "expected 'Path'", "<InvalidationBatch><Paths><Items><CNAME>/a</CNAME></Items></Paths></InvalidationBatch>"},
		{"MalformedInput", "twice", "<InvalidationBatch><CallerReference>a</CallerReference><CallerReference>b</CallerReference></InvalidationBatch>"},
		{"MalformedInput", "twice", "<InvalidationBatch><Paths><Items><Path>/a</Path></Items><Items><Path>/b</Path></Items></Paths></InvalidationBatch>"},
		{"MalformedInput", "unexpected text", "<InvalidationBatch>x<Paths/></InvalidationBatch>"},
		{"MalformedInput", "unexpected text", "<InvalidationBatch><Paths><Items>/a</Items></Paths></InvalidationBatch>"},
		{"MalformedInput", "unexpected element", "<InvalidationBatch><CallerReference><b>a</b></CallerReference></InvalidationBatch>"},
		{"MalformedInput", "not an integer", "<InvalidationBatch><Paths><Quantity>two</Quantity></Paths></InvalidationBatch>"},
		{"MalformedInput", "not an integer", "<InvalidationBatch><Paths><Quantity/></Paths></InvalidationBatch>"},
		{"MalformedInput", "not an integer", "<InvalidationBatch><Paths><Quantity>1.0</Quantity></Paths></InvalidationBatch>"},
		{"MalformedInput", "not an integer", "<InvalidationBatch><Paths><Quantity>+1</Quantity></Paths></InvalidationBatch>"},
		{"MalformedInput", "not an integer", "<InvalidationBatch><Paths><Quantity>9223372036854775808</Quantity></Paths></InvalidationBatch>"},
		{"MalformedInput", "unknown attribute", `<InvalidationBatch nil="true"/>`},
		{"MalformedInput", "unknown namespace", `<InvalidationBatch xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>`},
		{"MalformedInput", "unknown namespace", `<InvalidationBatch><p:Paths/></InvalidationBatch>`},
	} {
		err := Unmarshal([]byte(c.doc), "InvalidationBatch", new(InvalidationBatch))
		var got *InputError
		if !errors.As(err, &got) {
			t.Errorf("%.80s: error is %T %v", c.doc, err, err)
			continue
		}
		if got.Code != c.code || !strings.Contains(got.Message, c.says) {
			t.Errorf("%.80s:\n  %v\n  want %s: …%s…", c.doc, err, c.code, c.says)
		}
	}
}

func TestUnmarshal_RefusesOtherScalars(t *testing.T) {
	for _, c := range []struct {
		root, doc string
		v         any
	}{
		{"LoggingConfig", "<LoggingConfig><Enabled>True</Enabled></LoggingConfig>", new(LoggingConfig)},
		{"LoggingConfig", "<LoggingConfig><Enabled>1</Enabled></LoggingConfig>", new(LoggingConfig)},
		{"W", "<W><Weight>0x1p-2</Weight></W>", new(ContinuousDeploymentSingleWeightConfig)},
		{"W", "<W><Weight>NaN</Weight></W>", new(ContinuousDeploymentSingleWeightConfig)},
		{"W", "<W><Weight>1e999</Weight></W>", new(ContinuousDeploymentSingleWeightConfig)},
		{"I", "<I><CreateTime>yesterday</CreateTime></I>", new(Invalidation)},
		{"F", "<F><FunctionCode>***</FunctionCode></F>", new(CreateFunctionRequest)},
	} {
		var in *InputError
		if err := Unmarshal([]byte(c.doc), c.root, c.v); !errors.As(err, &in) || in.Code != "MalformedInput" {
			t.Errorf("%s: %v", c.doc, err)
		}
	}
}

// nest is deeper than any structure of the model can be.
type nest struct {
	In *nest `xml:"In"`
}

func TestUnmarshal_DepthIsBounded(t *testing.T) {
	doc := func(n int) []byte {
		return []byte(strings.Repeat("<In>", n) + strings.Repeat("</In>", n))
	}
	if err := Unmarshal(doc(MaxDepth), "In", new(nest)); err != nil {
		t.Error(err)
	}
	if err := Unmarshal(doc(MaxDepth+1), "In", new(nest)); err == nil || !strings.Contains(err.Error(), "inside each other") {
		t.Error(err)
	}
	most := 0
	for _, s := range structures {
		most = max(most, deepest(s))
	}
	if most != 11 {
		t.Errorf("the deepest structure has %d levels: the comment at MaxDepth is wrong", most)
	}
}

func deepest(t reflect.Type) int {
	if !isStructure(t) {
		return 1
	}
	d := 1
	for _, m := range planOf(t).members {
		f, levels := t.Field(m.index).Type, 1
		if m.item != "" {
			levels++
		}
		if f != blobType {
			d = max(d, levels+deepest(f.Elem()))
		}
	}
	return d
}

func TestCheckRequired_NamesWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		v    any
		want string
	}{
		{&InvalidationBatch{CallerReference: Ptr(""), Paths: &Paths{Quantity: Ptr(int64(0))}}, ""},
		{&InvalidationBatch{}, "MalformedXML: 2 validation errors detected: Value null at 'invalidationBatch.paths' failed to satisfy constraint: Member must not be null; Value null at 'invalidationBatch.callerReference' failed to satisfy constraint: Member must not be null"},
		{&InvalidationBatch{CallerReference: Ptr("r"), Paths: &Paths{}}, "MalformedXML: 1 validation error detected: Value null at 'invalidationBatch.paths.quantity' failed to satisfy constraint: Member must not be null"},
		{&Tags{Items: []Tag{{Key: Ptr("a")}, {Value: Ptr("b")}}}, "MalformedXML: 1 validation error detected: Value null at 'tags.items.2.member.key' failed to satisfy constraint: Member must not be null"},
		{&Origins{Quantity: Ptr(int64(0)), Items: []Origin{}}, "MalformedXML: 1 validation error detected: Value null at 'origins.items' failed to satisfy constraint: Member must not be null"},
	} {
		got := ""
		if err := CheckRequired(c.v); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%+v:\ngot  %s\nwant %s", c.v, got, c.want)
		}
	}
}

func TestCheckQuantities(t *testing.T) {
	good := &DistributionConfig{
		Aliases: &Aliases{Quantity: Ptr(int64(1)), Items: []string{"a"}},
		Origins: &Origins{Quantity: Ptr(int64(1)), Items: []Origin{{CustomHeaders: &CustomHeaders{Quantity: Ptr(int64(0))}}}},
	}
	if err := CheckQuantities(good); err != nil {
		t.Error(err)
	}
	good.Origins.Items[0].CustomHeaders.Quantity = Ptr(int64(2))
	err := CheckQuantities(good)
	if err == nil || !strings.Contains(err.Error(), "InconsistentQuantities") || !strings.Contains(err.Error(), "'distributionConfig.origins.items.1.member.customHeaders' has Quantity 2 and 0 items") {
		t.Error(err)
	}
}

// What can be read can be written, and reads as the same.
func FuzzUnmarshal(f *testing.F) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 5 {
		c := new(DistributionConfig)
		fill(rnd, reflect.ValueOf(c).Elem(), 0)
		doc, err := Marshal("DistributionConfig", c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(doc)
	}
	f.Add([]byte("<DistributionConfig/>"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		c := new(DistributionConfig)
		err := Unmarshal(doc, "DistributionConfig", c)
		if err != nil {
			var in *InputError
			if !errors.As(err, &in) {
				t.Fatalf("error is %T: %v", err, err)
			}
			return
		}
		_, _ = CheckRequired(c), CheckQuantities(c)
		first, err := Marshal("DistributionConfig", c)
		if err != nil {
			t.Fatal(err)
		}
		again := new(DistributionConfig)
		if err := Unmarshal(first, "DistributionConfig", again); err != nil {
			t.Fatalf("%v\n%s", err, first)
		}
		if !reflect.DeepEqual(c, again) {
			t.Fatalf("differs after the wire:\n%s", first)
		}
	})
}
