# Variants of the build for people at work on the code; ./run and ./test are the front doors.
all:
	tools/build build

asan:
	./test asan

tsan:
	tools/build build-tsan -Db_sanitize=thread -Doptimization=1
	meson test -C build-tsan --no-rebuild --print-errorlogs --suite unit

tidy: all
	find src -name '*.c' ! -name '*_test.c' -print0 | xargs -0 -n 8 -P 2 clang-tidy-14 -quiet -p build

cover:
	tools/build build-cover -Db_coverage=true -Doptimization=0
	meson test -C build-cover --no-rebuild --print-errorlogs
	gcovr -r . build-cover --exclude '.*_test\.c' --exclude tests/ --print-summary

clean:
	rm -rf build build-asan build-tsan build-cover

.PHONY: all asan tsan tidy cover clean
