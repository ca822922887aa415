// The built-in calibration text, written for this purpose. It has the registers of the verification text (prose, law,
// numbers, code, dialogue; English and Portuguese) but other sentences. The registers alternate from the start, because
// only the first few hundred tokens are read. A change of the text changes what --dtype auto chooses.
#include <array>

#include "model/verify/verify.h"

namespace frugal {
namespace {

constexpr std::array<std::string_view, 14> kTexts{
    "The orchard was planted by someone who did not expect to eat from it. Pears take seven years, walnuts fifteen, "
    "and the woman who set them out in rows along the wall was past seventy and in no hurry.",

    "Art. 31. O contrato de prestação de serviços por prazo indeterminado pode ser rescindido por qualquer das "
    "partes, mediante aviso prévio de oito dias, se o salário for fixado por mês. Parágrafo único. O silêncio não "
    "vale como aviso.",

    "What is the boiling point of ethanol? About 78 degrees Celsius at normal pressure, which is why a mixture of "
    "alcohol and water can be separated, though never completely, by heating it gently.",

    "for line in open(path):\n    key, _, value = line.partition('=')\n    settings[key.strip()] = value.strip()\n\n"
    "A line without the sign gives an empty value; nobody is told, and the default stays.",

    "Quando a luz acabou, ninguém se levantou da mesa. Minha tia acendeu duas velas, repartiu o resto do bolo e "
    "continuou a história do ponto em que estava, com o navio parado no meio do rio e o capitão jurando que era areia.",

    "The tenant shall give notice of any defect without delay. If notice is not given, the landlord is not liable for "
    "damage which could have been prevented, and section 9, paragraph 2, does not apply.",

    "Between 2003 and 2011 the price of copper rose from $1,800 to more than $9,500 a tonne. Thieves took cables from "
    "railways, roofs from churches and, in one town, 340 metres of gutter in a single weekend.",

    "\"E o senhor, vai querer o quê?\" \"O mesmo de sempre.\" \"O mesmo de sempre acabou em março.\" Ele olhou para o "
    "cardápio pela primeira vez em dez anos e descobriu que havia sopa.",

    "A bridge is tested by loading it with lorries full of gravel and measuring how far it bends. If it returns to its "
    "old shape within an hour, the engineers sign; if it keeps even a few millimetres, they start to calculate again.",

    "O sal conserva porque tira a água. Sem água livre, as bactérias não se multiplicam, e o peixe que estragaria em "
    "dois dias dura um ano pendurado numa cozinha seca. O açúcar faz o mesmo com as frutas.",

    "The library of the monastery held 412 volumes in the inventory of 1508 and 409 in the one of 1510. Two of the "
    "missing books turned up in a binder's workshop. The third, a treatise on bees, was never found.",

    "Compete ao juiz dirigir o processo, assegurando às partes igualdade de tratamento e velando pela duração razoável "
    "da causa. As decisões serão fundamentadas, sob pena de nulidade.",

    "To sharpen a chisel, flatten its back first. Hold the bevel at twenty-five degrees, draw it towards you in long "
    "strokes, and stop when you feel a burr along the whole edge. Then turn it over, once, lightly.",

    "Questions for the next meeting: who pays for the fence, whether the gate stays open on market days, and what "
    "happens to the old pump. Nobody objected to the pump being sold; nobody offered to buy it either.",
};

}  // namespace

std::vector<std::string_view> calibration_texts() {
  return {kTexts.begin(), kTexts.end()};
}

}  // namespace frugal
