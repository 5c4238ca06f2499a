# Variants of the build for people at work on the code; ./run and ./test are the front doors.
all:
	tools/build build

asan tsan tidy clang:
	./test $@

cover:
	./test coverage

fuzz:
	./test fuzz 60

clean:
	rm -rf build build-*

.PHONY: all asan tsan tidy clang cover fuzz clean
