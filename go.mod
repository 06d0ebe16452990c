module github.com/warmfront/warmfront

go 1.26
