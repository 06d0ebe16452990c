package distribution

import (
	"encoding/json"
	"encoding/xml"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/cloudfront/wire"
)

// The whole of what one reads back after sending minimal().
const minimalReadBack = `{
 "CallerReference":"ref",
 "Origins":{"Quantity":1,"Items":[{"Id":"web","DomainName":"Origin.example.com","OriginPath":"","CustomHeaders":{"Quantity":0},
  "CustomOriginConfig":{"HTTPPort":80,"HTTPSPort":443,"OriginProtocolPolicy":"http-only",
   "OriginSslProtocols":{"Quantity":3,"Items":["TLSv1","TLSv1.1","TLSv1.2"]},"OriginReadTimeout":30,"OriginKeepaliveTimeout":5},
  "ConnectionAttempts":3,"ConnectionTimeout":10,"OriginShield":{"Enabled":false},"OriginAccessControlId":""}]},
 "DefaultCacheBehavior":{"TargetOriginId":"web","ViewerProtocolPolicy":"allow-all",
  "TrustedSigners":{"Enabled":false,"Quantity":0},"TrustedKeyGroups":{"Enabled":false,"Quantity":0},
  "AllowedMethods":{"Quantity":2,"Items":["HEAD","GET"],"CachedMethods":{"Quantity":2,"Items":["HEAD","GET"]}},
  "SmoothStreaming":false,"Compress":false,"LambdaFunctionAssociations":{"Quantity":0},"FunctionAssociations":{"Quantity":0},
  "FieldLevelEncryptionId":"","CachePolicyId":"658327ea-f89d-4fab-a63d-7e88639e58f6","GrpcConfig":{"Enabled":false}},
 "Comment":"site","Enabled":true,"Aliases":{"Quantity":0},"DefaultRootObject":"","OriginGroups":{"Quantity":0},
 "CacheBehaviors":{"Quantity":0},"CustomErrorResponses":{"Quantity":0},
 "Logging":{"Enabled":false,"IncludeCookies":false,"Bucket":"","Prefix":""},"PriceClass":"PriceClass_All",
 "ViewerCertificate":{"CloudFrontDefaultCertificate":true,"MinimumProtocolVersion":"TLSv1","CertificateSource":"cloudfront"},
 "Restrictions":{"GeoRestriction":{"RestrictionType":"none","Quantity":0}},"WebACLId":"","HttpVersion":"http2","IsIPV6Enabled":true,
 "ContinuousDeploymentPolicyId":"","Staging":false}`

func TestFillDefaults_Minimal(t *testing.T) {
	want := &wire.DistributionConfig{}
	if err := json.Unmarshal([]byte(minimalReadBack), want); err != nil {
		t.Fatal(err)
	}
	if got := filled(minimal()); !reflect.DeepEqual(got, want) {
		b, _ := json.Marshal(got)
		t.Errorf("read back:\n%s", b)
	}
}

func TestFillDefaults_ElementsSentEmpty(t *testing.T) {
	c := &wire.DistributionConfig{}
	err := xml.Unmarshal([]byte(`<DistributionConfig><CallerReference>ref</CallerReference><Comment>site</Comment><Enabled>true</Enabled>
 <Origins><Quantity>1</Quantity><Items><Origin><Id>web</Id><DomainName>Origin.example.com</DomainName><OriginShield/><OriginAccessControlId/>
  <CustomOriginConfig><HTTPPort>80</HTTPPort><HTTPSPort>443</HTTPSPort><OriginProtocolPolicy>http-only</OriginProtocolPolicy><OriginMtlsConfig/></CustomOriginConfig></Origin></Items></Origins>
 <DefaultCacheBehavior><TargetOriginId>web</TargetOriginId><ViewerProtocolPolicy>allow-all</ViewerProtocolPolicy><CachePolicyId>658327ea-f89d-4fab-a63d-7e88639e58f6</CachePolicyId>
  <OriginRequestPolicyId/><ResponseHeadersPolicyId/><RealtimeLogConfigArn/><FieldLevelEncryptionId/><TrustedSigners/><GrpcConfig/><MinTTL>0</MinTTL><FunctionAssociations><Items/></FunctionAssociations></DefaultCacheBehavior>
 <Aliases/><OriginGroups><Quantity>0</Quantity><Items></Items></OriginGroups><Logging/><ViewerCertificate/><Restrictions/><ViewerMtlsConfig/><TenantConfig/><AnycastIpListId/><ConnectionMode/>
 <ConnectionFunctionAssociation/></DistributionConfig>`), c)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := filled(c), filled(minimal()); !reflect.DeepEqual(got, want) {
		g, _ := json.Marshal(got)
		w, _ := json.Marshal(want)
		t.Errorf("\n got %s\nwant %s", g, w)
	}
}

// What Get returns is accepted by Update unchanged and compares equal, through the API's XML and
// through the journal's JSON.
func TestFillDefaults_ReadBackSentAgainIsTheSame(t *testing.T) {
	for name, c := range map[string]*wire.DistributionConfig{"minimal": minimal(), "rich": rich()} {
		FillDefaults(c)
		b, err := xml.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		again := &wire.DistributionConfig{}
		if err := xml.Unmarshal(b, again); err != nil {
			t.Fatal(err)
		}
		FillDefaults(again)
		if err := Validate(again, Known{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(again, c) || !reflect.DeepEqual(clone(t, c), c) {
			t.Errorf("%s: the read-back sent again is another: %s", name, b)
		}
	}
}

func TestFillDefaults_LegacyTTLs(t *testing.T) {
	for _, c := range []struct{ min, def, max, wantMin, wantDef, wantMax int64 }{
		{-1, -1, -1, 0, 86400, 31536000},
		{0, 0, 0, 0, 0, 0},
		{100000, -1, -1, 100000, 100000, 31536000}, // Min > 86400: Default = Min
		{0, 40000000, -1, 0, 40000000, 40000000},   // Default > 31536000: Max = Default
		{40000000, -1, -1, 40000000, 40000000, 40000000},
		{5, 60, 70, 5, 60, 70},
	} {
		b := &wire.CacheBehavior{ForwardedValues: &wire.ForwardedValues{}}
		for p, v := range map[**int64]int64{&b.MinTTL: c.min, &b.DefaultTTL: c.def, &b.MaxTTL: c.max} {
			if v >= 0 {
				*p = ptr(v)
			}
		}
		fillBehavior(b)
		if *b.MinTTL != c.wantMin || *b.DefaultTTL != c.wantDef || *b.MaxTTL != c.wantMax {
			t.Errorf("%v: %d %d %d", c, *b.MinTTL, *b.DefaultTTL, *b.MaxTTL)
		}
	}
}

func TestFillDefaults_Legacy(t *testing.T) {
	c := rich()
	c.CacheBehaviors.Items[0].ForwardedValues = &wire.ForwardedValues{QueryString: ptr(false),
		Cookies: &wire.CookiePreference{Forward: ptr("none"), WhitelistedNames: &wire.CookieNames{Quantity: ptr(int64(1)), Items: []string{"left-over"}}}}
	FillDefaults(c)
	b := c.CacheBehaviors.Items[0]
	if b.CachePolicyId != nil || b.OriginRequestPolicyId != nil {
		t.Error("an empty id came back empty instead of absent")
	}
	if f := b.ForwardedValues; *f.Headers.Quantity != 0 || *f.QueryStringCacheKeys.Quantity != 0 || f.Cookies.WhitelistedNames != nil {
		t.Errorf("%+v", f)
	}
	if d := c.DefaultCacheBehavior; d.ForwardedValues != nil || d.MinTTL != nil || d.DefaultTTL != nil || d.MaxTTL != nil {
		t.Error("legacy settings came back beside a CachePolicyId")
	}
	if r := c.CustomErrorResponses.Items; *r[1].ErrorCachingMinTTL != 10 || *r[1].ResponseCode != "" || *r[0].ErrorCachingMinTTL != 30 {
		t.Error("error responses")
	}
	if s := c.Origins.Items[1].S3OriginConfig; *s.OriginReadTimeout != 30 || *s.OriginAccessIdentity != "" {
		t.Error("S3 origin")
	}
}

func TestFillDefaults_SSLSupportMethodOnlyIfSent(t *testing.T) {
	c := minimal()
	c.ViewerCertificate = &wire.ViewerCertificate{CloudFrontDefaultCertificate: ptr(true), SSLSupportMethod: ptr("vip"), MinimumProtocolVersion: ptr("TLSv1.2_2021")}
	if v := filled(c).ViewerCertificate; *v.SSLSupportMethod != "vip" || *v.MinimumProtocolVersion != "TLSv1" || *v.CertificateSource != "cloudfront" {
		t.Errorf("%+v", v)
	}
	c.ViewerCertificate = &wire.ViewerCertificate{ACMCertificateArn: ptr("arn:x"), SSLSupportMethod: ptr("sni-only"), MinimumProtocolVersion: ptr("TLSv1.2_2021")}
	if v := filled(c).ViewerCertificate; *v.CloudFrontDefaultCertificate || *v.MinimumProtocolVersion != "TLSv1.2_2021" {
		t.Errorf("with a certificate: %+v", v)
	}
}

// randomised changes some leaves of rich() to values that may be right or wrong.
func randomised(t *testing.T, r *rand.Rand, paths []string) *wire.DistributionConfig {
	c := clone(t, rich())
	words := []string{"", "*", "web", "bucket", "a", "/a", "all", "none", "whitelist", optimized, allViewer, "http-only", "GET", "HEAD", "OPTIONS", "example.com", "X-A", "200", "\x00", "allow-all"}
	numbers := []int64{0, 1, 2, 10, 80, 404, 1024, 86400, 40000000, -1}
	for range r.IntN(5) {
		path := paths[r.IntN(len(paths))]
		var v any
		switch leafKind(path) {
		case reflect.String:
			v = words[r.IntN(len(words))]
		case reflect.Bool:
			v = r.IntN(2) == 0
		default:
			v = numbers[r.IntN(len(numbers))]
		}
		set(t, reflect.ValueOf(c), path, v)
	}
	if r.IntN(4) > 0 {
		complete(reflect.ValueOf(c))
	}
	return c
}

func leafKind(path string) reflect.Kind {
	typ := reflect.TypeOf(wire.DistributionConfig{})
	for typ.Kind() != reflect.String && typ.Kind() != reflect.Bool && typ.Kind() != reflect.Int64 {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice:
			typ = typ.Elem()
			path = strings.TrimPrefix(path, "[]")
		default:
			name, rest, _ := strings.Cut(strings.TrimPrefix(path, "."), ".")
			name, brackets, _ := strings.Cut(name, "[")
			f, _ := typ.FieldByName(name)
			typ, path = f.Type, rest
			if brackets != "" {
				path = "[" + brackets + "." + rest
			}
		}
	}
	return typ.Kind()
}

func TestProperties_OfRandomConfigs(t *testing.T) {
	var paths []string
	leaves(reflect.TypeOf(wire.DistributionConfig{}), "", func(p string) { paths = append(paths, p) })
	r := rand.New(rand.NewPCG(5, 6))
	valid := 0
	for range 2000 {
		c := filled(randomised(t, r, paths))
		once := clone(t, c)
		if !reflect.DeepEqual(once, c) {
			t.Fatalf("JSON changes %+v", c)
		}
		if FillDefaults(c); !reflect.DeepEqual(once, c) {
			a, _ := json.Marshal(once)
			b, _ := json.Marshal(c)
			t.Fatalf("filling twice differs from filling once:\n%s\n%s", a, b)
		}
		err := Validate(c, Known{})
		if !reflect.DeepEqual(once, c) {
			t.Fatal("Validate changed the config")
		}
		if err != nil {
			if e := asError(t, err); e.Message == "" || e.Field == "" || wire.ErrorStatus[e.Code] == 0 {
				t.Fatalf("%#v", e)
			}
			continue
		}
		valid++
		if _, err := Compile(Source{ID: "E1", DomainName: "d1.localhost", Config: c}); err != nil {
			t.Fatalf("valid, but does not compile: %v", err)
		}
	}
	if valid < 200 || valid > 1800 {
		t.Errorf("%d of 2000 are valid: the sample says little", valid)
	}
}
