#!/usr/bin/env bash
# Compiles build_forms.cpp in one form, runs it, and looks whether it has the fast path.
#
#   build_forms.sh SOURCE_DIR COMPILER fast|plain|either LIBRARIES_OR_SOURCES... -- FLAGS...
#
# fast: its machine code compares a key with an entry at an offset from the thread pointer; plain: it
# does not, since the form cannot have such an offset. either: it is the compiler's choice.
set -euo pipefail
source_dir=$1 compiler=$2 expected=$3
shift 3
inputs=()
while [[ $1 != -- ]]; do inputs+=("$1"); shift; done
shift
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

command=("$compiler" -std=c++20 -O2 -DCARREL_LOCAL_STATIC "-I$source_dir/include"
         "-I$source_dir/src" "$@")
objects=()
for input in "$source_dir/tests/local/build_forms.cpp" "${inputs[@]}"; do
  case $input in
    *.cpp)
      objects+=("$folder/${#objects[@]}.o")
      "${command[@]}" -c "$input" -o "${objects[-1]}"
      ;;
    *) objects+=("$input") ;;
  esac
done
"${command[@]}" "${objects[@]}" -o "$folder/program" -lpthread -ldl
"$folder/program"

code=$(objdump -d --no-show-raw-insn --disassembler-options=att "$folder/program")
if grep -qE 'cmp +%fs:-?0x[0-9a-f]+\(%r' <<< "$code"; then found=fast; else found=plain; fi
if [[ $expected != either && $found != "$expected" ]]; then
  echo "expected the $expected form and found the $found one"
  exit 1
fi
