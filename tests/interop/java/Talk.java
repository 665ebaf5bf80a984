import jakarta.xml.ws.BindingProvider;
import jakarta.xml.ws.soap.AddressingFeature;
import jakarta.xml.ws.soap.SOAPFaultException;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import javax.xml.datatype.DatatypeFactory;
import pl.gov.mf.schematy.sisc.wschannel._2014._01_v2_0.ContentType;
import pl.gov.mf.schematy.sisc.wschannel._2014._01_v2_0.DocumentType;
import pl.gov.mf.schematy.sisc.wschannel._2014._01_v2_0.ErrorType;
import pl.gov.mf.schematy.sisc.wschannel._2014._01_v2_0.MimeType;
import pl.gov.mf.schematy.sisc.wschannel._2014._01_v2_0.SystemType;
import pl.gov.mf.schematy.sisc.wschannel._2014._01_v2_0.TargetSystemsType;
import pl.gov.mf.uslugibiznesowe.wspull.usluga._2014._01_v2_0.AcceptDocumentRequest;
import pl.gov.mf.uslugibiznesowe.wspull.usluga._2014._01_v2_0.BusinessErrorFault_Exception;
import pl.gov.mf.uslugibiznesowe.wspull.usluga._2014._01_v2_0.DocumentHandlingPort;
import pl.gov.mf.uslugibiznesowe.wspull.usluga._2014._01_v2_0.DocumentHandlingSvc;
import pl.gov.mf.uslugibiznesowe.wspull.usluga._2014._01_v2_0.GetDocumentsRequest;
import pl.gov.mf.uslugibiznesowe.wspull.usluga._2014._01_v2_0.GetDocumentsResponse;
import pl.gov.mf.uslugibiznesowe.wspull.usluga._2014._01_v2_0.GetNextDocumentResponse;
import pl.gov.mf.uslugibiznesowe.wspull.usluga._2014._01_v2_0.GetNextDocumentSiscRequest;
import pl.gov.mf.uslugibiznesowe.wspull.usluga._2014._01_v2_0.TechErrorFault_Exception;

/**
 * A Java stack as the tests drive it, with the classes that its own tool made from the served WSDL: a question a line on
 * stdin (fields between tabs), an answer a line on stdout (JSON). What differs between the stacks stands in Edition.java.
 */
public class Talk {
    private record Account(String wsdl, String login, String secret, boolean addressing) {}

    private static final Map<Account, DocumentHandlingPort> PORTS = new HashMap<>();

    public static void main(String[] arguments) throws Exception {
        var answers = new PrintStream(System.out, true, "UTF-8");
        var questions = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        for (String line; (line = questions.readLine()) != null; ) {
            answers.println(answer(line.split("\t", -1)));
        }
    }

    private static String answer(String[] asked) {
        var account = new Account(asked[1], asked[2], asked[3], asked[4].equals("yes"));
        var more = Arrays.stream(asked).skip(5).map(item -> item.split("=", 2)).collect(Collectors.toMap(i -> i[0], i -> i[1]));
        try {
            return switch (asked[0]) {
                case "submit" -> submit(account, Path.of(more.get("document")));
                case "next" -> next(port(account).getNextDocument(Edition.nothingSpecial()));
                case "nextSisc" -> next(port(account).getNextDocumentSisc(grades(more)));
                case "documents" -> documents(port(account).getDocuments(criteria(more)));
                default -> throw new IllegalArgumentException(asked[0]);
            };
        } catch (TechErrorFault_Exception fault) {
            return typed("techErrorFault", fault, fault.getFaultInfo().getError());
        } catch (BusinessErrorFault_Exception fault) {
            return typed("businessErrorFault", fault, fault.getFaultInfo().getError());
        } catch (SOAPFaultException fault) {
            return "{\"fault\": {\"string\": " + json(fault.getFault().getFaultString()) + "}}";
        } catch (Exception error) {
            return "{\"trouble\": " + json(error.toString()) + "}";
        }
    }

    private static String submit(Account account, Path file) throws Exception {
        var content = new ContentType();
        content.setFilename(file.getFileName().toString());
        content.setMime(MimeType.APPLICATION_XML);
        content.setValue(Files.readAllBytes(file));
        var targets = new TargetSystemsType();
        targets.getSystem().add(SystemType.NCTS_2);
        var document = new DocumentType();
        document.setContent(content);
        document.setTargetSystems(targets);
        var request = new AcceptDocumentRequest();
        request.setDocument(document);
        return "{\"sysRef\": " + json(port(account).acceptDocument(request).getResult().getSysRef()) + "}";
    }

    private static GetNextDocumentSiscRequest grades(Map<String, String> given) {
        var request = new GetNextDocumentSiscRequest();
        request.setIdSiscROF(given.get("idSiscROF"));
        request.setIdSiscROP(given.get("idSiscROP"));
        request.setIdSiscP(given.get("idSiscP"));
        return request;
    }

    private static GetDocumentsRequest criteria(Map<String, String> given) throws Exception {
        var request = new GetDocumentsRequest();
        request.setKorelacjaSysref(given.get("korelacjaSysref"));
        request.setPobrany(given.get("pobrany"));
        if (given.containsKey("dataOd")) {
            request.setDataOd(DatatypeFactory.newInstance().newXMLGregorianCalendar(given.get("dataOd")));
            request.setDataDo(DatatypeFactory.newInstance().newXMLGregorianCalendar(given.get("dataDo")));
        }
        return request;
    }

    private static String next(GetNextDocumentResponse response) {
        var document = response.getDocument() == null ? "null" : taken(response.getDocument());
        return "{\"hasNext\": " + response.isHasNext() + ", \"document\": " + document + "}";
    }

    private static String documents(GetDocumentsResponse response) {
        var documents = response.getDocument().stream().map(Talk::taken).collect(Collectors.joining(", "));
        return "{\"count\": " + response.getDocumentsCount() + ", \"documents\": [" + documents + "], \"info\": "
                + json(response.getDocumentsInfo()) + "}";
    }

    private static DocumentHandlingPort port(Account account) throws Exception {
        if (!PORTS.containsKey(account)) {
            var service = new DocumentHandlingSvc(new URL(account.wsdl()));
            var port = service.getDocumentHandlingPort(new AddressingFeature(account.addressing()));
            Edition.setPassword((BindingProvider) port, account.login(), account.secret());
            PORTS.put(account, port);
        }
        return PORTS.get(account);
    }

    private static String taken(DocumentType document) {
        var content = document.getContent();
        List<String> systems = document.getTargetSystems().getSystem().stream().map(system -> json(system.value())).toList();
        return "{\"filename\": " + json(content.getFilename())
                + ", \"content\": " + json(Base64.getEncoder().encodeToString(content.getValue()))
                + ", \"systems\": [" + String.join(", ", systems) + "]}";
    }

    private static String typed(String detail, Exception fault, ErrorType error) {
        return "{\"fault\": {\"typed\": true, \"string\": " + json(fault.getMessage()) + ", \"detail\": " + json(detail)
                + ", \"error_code\": " + json(error.getErrorCode()) + ", \"error_desc\": " + json(error.getErrorDesc()) + "}}";
    }

    private static String json(String text) {
        return text == null ? "null" : "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\r", "\\r").replace("\n", "\\n") + "\"";
    }
}
