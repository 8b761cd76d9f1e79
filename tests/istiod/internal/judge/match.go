package judge

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcher "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
)

// matchRoute finds the first route whose path, headers and query parameters fit, -1 if none does.
func matchRoute(t *testing.T, routes []*route.Route, call Call) int {
	target, rawQuery, _ := strings.Cut(call.Path, "?")
	if target == "" {
		target = "/"
	}
	query, _ := url.ParseQuery(rawQuery)
	headers := map[string]string{":authority": call.Host, ":path": call.Path, ":method": call.Method, ":scheme": "http"}
	for name, value := range call.Headers {
		headers[strings.ToLower(name)] = value
	}
	return slices.IndexFunc(routes, func(r *route.Route) bool {
		match := r.GetMatch()
		return pathMatches(t, match, target) &&
			!slices.ContainsFunc(match.GetHeaders(), func(h *route.HeaderMatcher) bool {
				value, present := headers[strings.ToLower(h.Name)]
				return headerMatches(t, h, value, present) == h.InvertMatch
			}) &&
			!slices.ContainsFunc(match.GetQueryParameters(), func(p *route.QueryParameterMatcher) bool {
				return !query.Has(p.Name) || !stringMatches(t, p.GetStringMatch(), query.Get(p.Name))
			})
	})
}

// pathMatches compares as Envoy does: only a regex heeds the case whatever is asked.
func pathMatches(t *testing.T, match *route.RouteMatch, path string) bool {
	cased := func(text string) string {
		if match.GetCaseSensitive() != nil && !match.GetCaseSensitive().GetValue() {
			return strings.ToLower(text)
		}
		return text
	}
	switch specifier := match.GetPathSpecifier().(type) {
	case *route.RouteMatch_Prefix:
		return strings.HasPrefix(cased(path), cased(specifier.Prefix))
	case *route.RouteMatch_PathSeparatedPrefix:
		prefix := cased(specifier.PathSeparatedPrefix)
		return cased(path) == prefix || strings.HasPrefix(cased(path), prefix+"/")
	case *route.RouteMatch_Path:
		return cased(path) == cased(specifier.Path)
	case *route.RouteMatch_SafeRegex:
		return fullMatch(t, specifier.SafeRegex.GetRegex(), path)
	default:
		t.Fatalf("unknown path match %T", specifier)
		return false
	}
}

func headerMatches(t *testing.T, match *route.HeaderMatcher, value string, present bool) bool {
	switch specifier := match.GetHeaderMatchSpecifier().(type) {
	case *route.HeaderMatcher_PresentMatch:
		return present == specifier.PresentMatch
	case *route.HeaderMatcher_StringMatch:
		return present && stringMatches(t, specifier.StringMatch, value)
	default:
		t.Fatalf("unknown header match %T", specifier)
		return false
	}
}

// stringMatches takes no matcher for one that matches everything.
func stringMatches(t *testing.T, match *matcher.StringMatcher, value string) bool {
	switch pattern := match.GetMatchPattern().(type) {
	case nil:
		return true
	case *matcher.StringMatcher_Exact:
		return value == pattern.Exact
	case *matcher.StringMatcher_Prefix:
		return strings.HasPrefix(value, pattern.Prefix)
	case *matcher.StringMatcher_Suffix:
		return strings.HasSuffix(value, pattern.Suffix)
	case *matcher.StringMatcher_Contains:
		return strings.Contains(value, pattern.Contains)
	case *matcher.StringMatcher_SafeRegex:
		return fullMatch(t, pattern.SafeRegex.GetRegex(), value)
	default:
		t.Fatalf("unknown string match %T", pattern)
		return false
	}
}

func fullMatch(t *testing.T, pattern, text string) bool {
	compiled, err := regexp.Compile(`^(?:` + pattern + `)$`)
	if err != nil {
		t.Fatal(err)
	}
	return compiled.MatchString(text)
}

func digest(t *testing.T, messages ...proto.Message) string {
	hash := sha256.New()
	for _, message := range messages {
		raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		hash.Write(raw)
	}
	return hex.EncodeToString(hash.Sum(nil)[:8])
}
