#include "rag/reply/answer_texts.h"

namespace frugal {
namespace {

constexpr AnswerTexts kEnglish = {
    .not_in_sources = "not in the sources",
    .no_passage_passes = "no passage passes the filter",
    .nothing_found = "nothing was found",
    .no_support = "no source supports an answer",
    .nothing_to_quote = "no source holds a sentence to quote",
    .generator_found_nothing = "the generator found no answer in the sources",
    .not_held = "the index does not hold {}",
    .none_that_passes_holds = "no passage that passes holds {}",
    .auto_no_generator = "auto: no generator, so quoted",
    .auto_unreadable = "auto: the generator's pack cannot be read, so quoted",
    .auto_small = "auto: the generator is too small, so quoted",
    .auto_unusable = "auto: the generator cannot be used ({}), so a source is quoted",
    .generator_failed = "the generator failed ({}), so a source is quoted",
    .broke_off = "the generator failed before its answer ended ({})",
    .too_late = "the deadline passed before an answer was generated",
    .repeated_itself = "the generator repeated itself, so a source is quoted",
    .not_borne_out = "no source bears out what the generator wrote, so a source is quoted",
    .sentences_dropped = "{} sentences that no source bears out, or that add nothing, were dropped",
    .in_several_laws = "{} is in {} laws: {}",
    .note = "note",
    .nearest = "The nearest passages:",
    .modified = "modified since it was indexed",
    .gone = "no longer there",
    .page = "{}, page {}",
    .images = "The nearest images:",
    .generated = "generated caption",
    .about_image = "({} about the image; no source says it)",
};

constexpr AnswerTexts kPortuguese = {
    .not_in_sources = "não consta das fontes",
    .no_passage_passes = "nenhum trecho passa pelo filtro",
    .nothing_found = "nada foi encontrado",
    .no_support = "nenhuma fonte sustenta uma resposta",
    .nothing_to_quote = "nenhuma fonte tem uma frase a citar",
    .generator_found_nothing = "o gerador não encontrou resposta nas fontes",
    .not_held = "o índice não contém {}",
    .none_that_passes_holds = "nenhum trecho que passa pelo filtro contém {}",
    .auto_no_generator = "auto: sem gerador, por isso uma citação",
    .auto_unreadable = "auto: o arquivo do gerador não pode ser lido, por isso uma citação",
    .auto_small = "auto: o gerador é pequeno demais, por isso uma citação",
    .auto_unusable = "auto: o gerador não pode ser usado ({}), por isso uma citação",
    .generator_failed = "o gerador falhou ({}), por isso uma citação",
    .broke_off = "o gerador falhou antes do fim da resposta ({})",
    .too_late = "o prazo terminou antes que uma resposta fosse gerada",
    .repeated_itself = "o gerador se repetiu, por isso uma citação",
    .not_borne_out = "nenhuma fonte confirma o que o gerador escreveu, por isso uma citação",
    .sentences_dropped = "frases retiradas, que nenhuma fonte confirma ou que nada acrescentam: {}",
    .in_several_laws = "{} consta de {} leis: {}",
    .note = "nota",
    .nearest = "Os trechos mais próximos:",
    .modified = "alterado depois de indexado",
    .gone = "não existe mais",
    .page = "{}, página {}",
    .images = "As imagens mais próximas:",
    .generated = "legenda gerada",
    .about_image = "({} sobre a imagem; nenhuma fonte o diz)",
};

}  // namespace

const AnswerTexts& answer_texts(Language language) {
  return language == Language::portuguese ? kPortuguese : kEnglish;
}

}  // namespace frugal
