# hp_bpf_skeleton(NAME SOURCE x.bpf.c): compiles one BPF object with clang and makes its skeleton.
# The interface library holdpoint::NAME_skel gives the header "NAME.skel.h". The compiler's dependency file is
# used, so that a change in a shared header builds the object again. Nothing of the running kernel is read.
include_guard(GLOBAL)

find_program(HP_BPF_CLANG NAMES clang-16 clang-15 clang-14 clang REQUIRED)
find_program(HP_BPF_STRIP NAMES llvm-strip-16 llvm-strip-15 llvm-strip-14 llvm-strip REQUIRED)
find_program(HP_BPFTOOL NAMES bpftool PATHS /usr/sbin /sbin REQUIRED)

function(hp_bpf_skeleton name)
  cmake_parse_arguments(ARG "" "SOURCE" "" ${ARGN})
  set(out ${PROJECT_BINARY_DIR}/bpf)
  file(MAKE_DIRECTORY ${out})
  set(object ${out}/${name}.bpf.o)
  set(header ${out}/${name}.skel.h)
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${HP_BPF_CLANG} -target bpf -D__TARGET_ARCH_x86 -mcpu=v3 -O2 -g -std=gnu11
            -Wall -Wextra -Werror -Wno-unused-parameter -Wno-address-of-packed-member
            -I${PROJECT_SOURCE_DIR} -MD -MF ${object}.d -MT ${object}
            -c ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_SOURCE} -o ${object}
    COMMAND ${HP_BPF_STRIP} -g ${object}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_SOURCE}
    DEPFILE ${object}.d
    COMMENT "BPF object ${name}"
    VERBATIM)
  add_custom_command(
    OUTPUT ${header}
    COMMAND ${HP_BPFTOOL} gen skeleton ${object} name ${name} > ${header}
    DEPENDS ${object}
    VERBATIM)
  add_custom_target(hp_${name}_skel_gen DEPENDS ${header})
  add_library(hp_${name}_skel INTERFACE)
  add_library(holdpoint::${name}_skel ALIAS hp_${name}_skel)
  add_dependencies(hp_${name}_skel hp_${name}_skel_gen)
  target_include_directories(hp_${name}_skel SYSTEM INTERFACE ${out})
endfunction()
